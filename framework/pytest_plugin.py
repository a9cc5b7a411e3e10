"""Fixtures for plugin authors. pytest finds them by itself if the package is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from framework.assembly.parts import Parts


@pytest.fixture
def assembled() -> Iterator[Callable[[str, Mapping[str, Any]], Parts]]:
    """`assembled("dqn,./my_variant.py,chain", {"run.seed": 1})` → the parts of a run, closed after the test.

    Every call of a part is checked against its protocol, including shapes and dtypes (`framework.testing`).
    """
    from framework.assembly.assemble import assemble

    with ExitStack() as stack:

        def build(plugins: str, values: Mapping[str, Any] | None = None) -> Parts:
            parts = assemble(f"{plugins},framework.testing", values)
            stack.callback(parts.close)
            return parts

        yield build


@pytest.fixture
def trained(assembled: Callable[[str, Mapping[str, Any]], Parts]) -> Callable[[str, Mapping[str, Any]], Parts]:
    """Like `assembled`, but after the run that the values describe: `trained("dqn,chain", {"run.steps": 200})`."""
    from framework.training.loop import Loop

    def build(plugins: str, values: Mapping[str, Any] | None = None) -> Parts:
        parts = assembled(plugins, values or {})
        Loop(parts).run()
        return parts

    return build
