"""What no check may accuse: everything that is shipped, and the plugins of independent authors (`correct/`)."""

from __future__ import annotations

import ast
from pathlib import Path

TABLES = (
    "tabular",
    *(f"tabular,{name}" for name in ("boltzmann", "double_q", "expected_sarsa", "ez_greedy", "nstep", "sarsa", "ucb")),
)
NETWORKS = (
    "dqn",
    *(
        f"dqn,{name}"
        for name in (
            "averaging",
            "boltzmann",
            "c51",
            "double",
            "dueling",
            "iqn",
            "layer_norm",
            "munchausen",
            "noisy",
            "nstep",
            "online",
            "packed",
            "per",
            "polyak",
            "qr",
            "ucb",
        )
    ),
    "dqn,double,dueling,nstep,per,polyak,qr",
    "dqn,averaging,c51,layer_norm,noisy",
    "dqn,averaging,iqn,munchausen",
    "rainbow",
    "data_efficient",
    "pqn",
    "pqn,averaging",
)
ELSEWHERE = (
    "chapter,chain",
    "chapter,pong",
    "tabular,grid",
    "dqn,grid",
    "dqn,cartpole",
    "dqn,normalise,cartpole",
    "dqn,minatar",
    "dqn,impala,minatar",
    "pqn,minatar",
    "dqn,pong",
    "dqn,atari",
    "dqn,no:per,packed,pong",
    "rainbow,pong",
)
"""Compositions on other environments than the chain, with more shapes and wrappers."""

CORRECT = Path(__file__).parent / "correct"


def independent_plugins() -> tuple[str, ...]:
    """The composition of each independent plugin, read from its CHECK_WITH without an import."""
    found = []
    for path in sorted(CORRECT.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CHECK_WITH":
                found.append(f"{path},{ast.literal_eval(node.value)}")
    return tuple(found)


COMPOSITIONS = (*(f"{names},chain" for names in (*TABLES, *NETWORKS)), *ELSEWHERE, *independent_plugins())
