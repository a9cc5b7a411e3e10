"""Bugs that nobody thought of: small changes of the parts' code, drawn by a seed (mutation testing).

Each changes one place inside a function: a comparison, an arithmetic or logical operator, a constant, a condition, a
dtype, the order of two arguments, a keyword argument that is left out, a statement that is left out. Lines that raise
an error and annotations stay as they are.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.mutants.mutant import Mutant

ROOT = Path(__file__).parents[2]

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}

NARROWER = {"int64": "int8", "int32": "int8", "float64": "float16", "float32": "float16", "uint8": "int8"}
"""numpy's dtypes, and others that hold less."""

SYMMETRIC = ("min", "max", "minimum", "maximum", "array_equal", "isinstance")
"""Functions that return the same for exchanged arguments, or only raise an error."""

MODULES: dict[str, tuple[str, ...]] = {
    "framework.replay.lanes": ("dqn,nstep,chain",),
    "framework.replay.samplers": ("dqn,chain", "tabular,chain"),
    "framework.replay.returns": ("dqn,nstep,chain",),
    "framework.defaults.exploration": ("dqn,chain",),
    "framework.defaults.pacing": ("dqn,chain",),
    "framework.defaults.schedules": ("dqn,chain",),
    "plugins.dqn.agent": ("dqn,chain",),
    "plugins.dqn.loss": ("dqn,chain", "dqn,double,chain"),
    "plugins.dqn.gradient_step": ("dqn,chain",),
    "plugins.dqn.networks": ("dqn,chain", "dqn,dueling,minatar", "dqn,pong"),
    "plugins.dqn.head": ("dqn,chain",),
    "plugins.dqn.quantiles": ("dqn,qr,chain",),
    "plugins.dqn.optimizers": ("dqn,chain", "pqn,chain"),
    "plugins.dqn.weights": ("dqn,chain",),
    "plugins.averaging.parts": ("dqn,averaging,chain",),
    "plugins.boltzmann": ("dqn,boltzmann,chain",),
    "plugins.c51": ("dqn,c51,chain",),
    "plugins.double_q": ("tabular,double_q,chain",),
    "plugins.dueling": ("dqn,dueling,chain",),
    "plugins.ez_greedy": ("dqn,ez_greedy,chain",),
    "plugins.impala": ("dqn,impala,minatar",),
    "plugins.iqn": ("dqn,iqn,chain",),
    "plugins.layer_norm": ("dqn,layer_norm,chain",),
    "plugins.mirror.buffer": ("dqn,pong",),
    "plugins.munchausen": ("dqn,munchausen,chain",),
    "plugins.noisy": ("dqn,noisy,chain",),
    "plugins.normalise": ("dqn,normalise,cartpole",),
    "plugins.packed": ("dqn,packed,chain",),
    "plugins.per": ("dqn,per,chain",),
    "plugins.per.sumtree": ("dqn,per,chain",),
    "plugins.polyak": ("dqn,polyak,chain",),
    "plugins.pqn": ("pqn,chain",),
    "plugins.pqn.returns": ("pqn,chain",),
    "plugins.pqn.rollout": ("pqn,chain", "pqn,minatar"),
    "plugins.qr": ("dqn,qr,chain",),
    "plugins.sarsa": ("tabular,sarsa,chain",),
    "plugins.tabular": ("tabular,grid", "tabular,expected_sarsa,chain"),
    "plugins.ucb": ("tabular,ucb,chain",),
    "plugins.atari.wrappers": ("dqn,atari", "dqn,pong"),
    "envs.minatar": ("dqn,minatar",),
}
"""Modules that hold parts, each with compositions that have them."""


@dataclass(frozen=True)
class Change:
    """One small change of a source. Lines are counted from 1, columns in bytes."""

    operator: str
    line: int
    column: int
    end_line: int
    end_column: int
    new: str


def changes(source: str) -> list[Change]:
    """All changes of a source, in the order of their places."""
    tree = ast.parse(source)
    found = [
        change
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and not _is_abstract(function)
        for statement in function.body
        for change in _in_statement(statement)
    ]
    return sorted(set(found), key=lambda each: (each.line, each.column, each.operator, each.new))


def _is_abstract(function: ast.FunctionDef) -> bool:
    """Whether a function has only a docstring, `...`, `pass` or an error."""
    return all(
        isinstance(statement, (ast.Raise, ast.Pass))
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in function.body
    )


def _in_statement(statement: ast.stmt) -> Iterator[Change]:
    if isinstance(statement, (ast.Raise, ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assert)):
        return  # a function within a function is walked on its own
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return
    if isinstance(statement, (ast.Expr, ast.AugAssign)) or (
        isinstance(statement, ast.Assign)
        and all(isinstance(target, (ast.Attribute, ast.Subscript)) for target in statement.targets)
    ):
        yield _change("statement left out", statement, "pass")
    if isinstance(statement, ast.AugAssign) and type(statement.op) in ARITHMETIC:
        changed = ast.AugAssign(statement.target, ARITHMETIC[type(statement.op)](), statement.value)
        yield _change("arithmetic", statement, ast.unparse(changed))
    for name, value in ast.iter_fields(statement):
        if name == "annotation":
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.stmt):
                yield from _in_statement(child)
            elif isinstance(child, ast.AST):
                yield from _in_expression(child)


def _in_expression(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.JoinedStr):
        return
    if isinstance(node, ast.expr):
        yield from (change for change in _of(node) if change.new.strip("()") != ast.unparse(node).strip("()"))
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield from _in_statement(child)
        else:
            yield from _in_expression(child)


def _of(node: ast.expr) -> Iterator[Change]:
    """The changes of one expression itself."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            operators = [*node.ops[:place], COMPARISONS[type(operator)](), *node.ops[place + 1 :]]
            yield _change("comparison", node, f"({ast.unparse(ast.Compare(node.left, operators, node.comparators))})")
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        changed: ast.expr = ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
        yield _change("arithmetic", node, f"({ast.unparse(changed)})")
    elif isinstance(node, ast.BoolOp):
        changed = ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        yield _change("logic", node, f"({ast.unparse(changed)})")
    elif isinstance(node, ast.UnaryOp):
        yield _change("sign or negation left out", node, f"({ast.unparse(node.operand)})")
    elif isinstance(node, ast.IfExp):
        changed = ast.IfExp(node.test, node.orelse, node.body)
        yield _change("logic", node, f"({ast.unparse(changed)})")
    elif isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        value = not node.value if isinstance(node.value, bool) else node.value + 1
        yield _change("constant", node, repr(value))
    elif isinstance(node, ast.Attribute) and node.attr in NARROWER and ast.unparse(node.value) == "np":
        yield _change("dtype narrowed", node, f"np.{NARROWER[node.attr]}")
    elif isinstance(node, ast.Call):
        name = ast.unparse(node.func).rpartition(".")[2]
        if (
            len(node.args) >= 2
            and name not in SYMMETRIC
            and not any(isinstance(each, ast.Starred) for each in node.args[:2])
        ):
            changed = ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)
            yield _change("arguments exchanged", node, ast.unparse(changed))
        for place in range(len(node.keywords)):
            changed = ast.Call(node.func, node.args, [*node.keywords[:place], *node.keywords[place + 1 :]])
            yield _change("keyword left out", node, ast.unparse(changed))


def _change(operator: str, node: ast.expr | ast.stmt, new: str) -> Change:
    assert node.end_lineno is not None and node.end_col_offset is not None
    return Change(operator, node.lineno, node.col_offset, node.end_lineno, node.end_col_offset, new)


def changed(source: str, change: Change) -> str:
    """The source with the change in it."""
    begin, end = _place(source, change.line, change.column), _place(source, change.end_line, change.end_column)
    return source[:begin] + change.new + source[end:]


def _place(source: str, line: int, column: int) -> int:
    lines = source.splitlines(keepends=True)
    within = lines[line - 1].encode()[:column].decode()
    return sum(map(len, lines[: line - 1])) + len(within)


def as_mutant(module: str, source: str, change: Change) -> Mutant:
    """The change as a bug to plant: whole lines, as many as are needed to be found only once."""
    lines = source.splitlines(keepends=True)
    new = changed(source, change)
    begin, end = change.line - 1, change.end_line
    while source.count(old := "".join(lines[begin:end])) > 1:
        begin = max(0, begin - 1)
        end = min(len(lines), end + 1)
    longer = len(new) - len(source)
    start = sum(map(len, lines[:begin]))
    return Mutant(
        name=f"{module}:{change.line}:{change.column} {change.operator} {change.new}",
        component="",
        row=change.operator,
        plugins=" ".join(MODULES[module]),
        module=module,
        old=old,
        new=new[start : start + len(old) + longer],
    )


def source_of(module: str) -> str:
    """The source of a module of this checkout, which is not imported: it could not be planted any more."""
    return path_of(module).read_text(encoding="utf-8")


def path_of(module: str) -> Path:
    """The file of a module of this checkout."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def drawn(count: int, seed: int, modules: Sequence[str] = tuple(MODULES)) -> list[Mutant]:
    """So many changes, in a random order: first a module, then one of its changes that were not drawn yet."""
    generator = np.random.default_rng(seed)
    sources = {module: source_of(module) for module in modules}
    left = {module: changes(source) for module, source in sources.items()}
    found: list[Mutant] = []
    while len(found) < count and (having := [module for module in modules if left[module]]):
        module = having[int(generator.integers(len(having)))]
        change = left[module].pop(int(generator.integers(len(left[module]))))
        found.append(as_mutant(module, sources[module], change))
    return found
