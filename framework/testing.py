"""For the tests of plugins: the harness's checks as pytest tests, and a plugin that enforces the protocols.

`parametrize_with_checks("./my_variant.py")` makes a pytest test of each check that the command `check` runs. The tests
run in pytest's own process: nothing ends a plugin that hangs or takes all memory, and a plugin that exits ends pytest.
The fixtures `assembled` and `trained` are in `framework.pytest_plugin`, which pytest finds by itself.

This module is also a plugin. In `assemble("dqn,chain,framework.testing")` it checks the arguments and the results of
each part against the part's protocol in `framework.types`, including shapes and dtypes. It ignores the type hints of
the part itself.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from beartype.door import is_bearable
from jaxtyping import jaxtyped

from framework import types
from framework.hooks import hookimpl

if TYPE_CHECKING:
    from framework.conformance.runner.suite import parametrize_with_checks as parametrize_with_checks


def __getattr__(name: str) -> Any:
    # this module is also a plugin, and only tests need pytest
    if name == "parametrize_with_checks":
        from framework.conformance.runner.suite import parametrize_with_checks

        return parametrize_with_checks
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


PROTOCOLS: dict[str, type] = {
    "make_policy": types.Policy,
    "make_exploration": types.Exploration,
    "make_returns": types.Returns,
    "make_sampler": types.Sampler,
    "make_buffer": types.Buffer,
    "make_loss": types.Loss,
    "make_optimizer": types.Optimizer,
    "make_target_sync": types.TargetSync,
    "make_cadence": types.Cadence,
    "make_collector": types.Collector,
}
"""Slot of the engine → the protocol that its part must satisfy."""


class ShapeError(TypeError):
    """An argument or a result of a part does not match the part's protocol."""


def enforce(part: Any, protocol: type) -> Any:
    """Check the arguments and the results of every method of the protocol from now on.

    Returns the same object. A part that is a function is wrapped instead.

    Raises (later, when a method is called):
        ShapeError: naming the part, the method and the value that does not fit.
    """
    if inspect.isroutine(part):
        return _checked(part, protocol.__call__, getattr(part, "__qualname__", "part"))
    kind = type(part)
    methods = {
        name: _checked(getattr(kind, name), declared, kind.__name__)
        for name, declared in vars(protocol).items()
        if inspect.isfunction(declared) and (not name.startswith("_") or name in ("__call__", "__len__"))
    }
    # the class changes and the object stays, so that other parts can still use its attributes beyond the protocol
    object.__setattr__(part, "__class__", type(kind.__name__, (kind,), {**methods, "__slots__": ()}))
    return part


def _checked(function: Callable[..., Any], declared: Callable[..., Any], owner: str) -> Callable[..., Any]:
    hints = typing.get_type_hints(declared)
    signature = inspect.signature(declared)

    @functools.wraps(function)
    def check(*args: Any, **kwargs: Any) -> Any:
        where = f"{owner}.{declared.__name__}"
        with jaxtyped("context"):
            given = args if "self" not in signature.parameters or inspect.ismethod(function) else args[1:]
            names = [name for name in signature.parameters if name != "self"]
            for name, value in [*zip(names, given, strict=False), *kwargs.items()]:
                _demand(value, hints[name], f"{where}({name})")
            result = function(*args, **kwargs)
            _demand(result, hints.get("return", Any), f"the result of {where}")
        return result

    return check


def _demand(value: Any, hint: Any, where: str) -> None:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(value, hint):
        for name, declared in _fields(hint).items():
            _demand(getattr(value, name), declared, f"{where}.{name}")
    elif typing.get_origin(hint) is tuple:
        parts = typing.get_args(hint)
        if not isinstance(value, tuple) or len(value) != len(parts):
            raise ShapeError(f"{where} should be {len(parts)} values, got {value!r}")
        for index, (item, part) in enumerate(zip(value, parts, strict=True)):
            _demand(item, part, f"{where}[{index}]")
    elif not is_bearable(value, hint):
        shown = f"{value.dtype}{list(value.shape)}" if hasattr(value, "dtype") else repr(value)
        raise ShapeError(f"{where} should be {hint}, got {shown}")


@functools.cache
def _fields(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _decorator(slot: str, protocol: type) -> Callable[[], Generator[None, Any, Any]]:
    def decorate() -> Generator[None, Any, Any]:
        part = yield
        return enforce(part, protocol)

    decorate.__name__ = slot
    return hookimpl(wrapper=True)(decorate)


globals().update({slot: _decorator(slot, protocol) for slot, protocol in PROTOCOLS.items()})
