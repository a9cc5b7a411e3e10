"""What no check may accuse: everything that is shipped, and what strangers wrote independently (`correct/`)."""

from __future__ import annotations

import ast
from pathlib import Path

TABLES = (
    "tabular",
    *(f"tabular,{name}" for name in ("boltzmann", "double_q", "expected_sarsa", "nstep", "sarsa", "ucb")),
)
NETWORKS = (
    "dqn",
    *(
        f"dqn,{name}"
        for name in (
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
        )
    ),
    "dqn,double,dueling,nstep,per,polyak,qr",
    "rainbow",
    "data_efficient",
    "pqn",
)
ELSEWHERE = (
    "chapter,chain",
    "chapter,pong",
    "tabular,grid",
    "dqn,grid",
    "dqn,cartpole",
    "dqn,minatar",
    "dqn,impala,minatar",
    "pqn,minatar",
    "dqn,pong",
    "rainbow,pong",
)
"""On other environments than the chain, where more shapes and wrappers come in."""

CORRECT = Path(__file__).parent / "correct"


def strangers() -> tuple[str, ...]:
    """Each independent plugin with what it wants to be checked with; read, not imported."""
    found = []
    for path in sorted(CORRECT.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CHECK_WITH":
                found.append(f"{path},{ast.literal_eval(node.value)}")
    return tuple(found)


COMPOSITIONS = (*(f"{names},chain" for names in (*TABLES, *NETWORKS)), *ELSEWHERE, *strangers())
