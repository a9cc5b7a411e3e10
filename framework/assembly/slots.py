"""Fills slots: calls the winner, checks its part, applies the decorators, and records which plugin filled each slot."""

from __future__ import annotations

from collections.abc import Callable, Generator
from traceback import walk_tb
from typing import Any, TypeVar

from framework.assembly.manager import Implementation, PluginError, Plugins
from framework.errors import FrameworkError, UsageError, listed
from framework.hooks import hookimpl

T = TypeVar("T")


class Slots:
    """The slots of one assembly."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._expected: dict[str, Any] = {}
        self._guarded: set[str] = set()
        self.filled: dict[str, str] = {}
        """slot → the plugin that filled it."""
        self.notes: list[str] = []
        """What the user should know about the parts."""
        self.without_effect: dict[str, str] = {}
        """Plugin that has no effect → why."""

    def fill(self, slot: str, expected: type[T], /, **arguments: Any) -> T:
        """Build the part of a slot.

        Args:
            slot: the hook's name.
            expected: the class or runtime-checkable protocol that the result must satisfy.
            arguments: every argument that the hook declares.

        Raises:
            UsageError: if nothing fills the slot, or if the winner or the decorators returned something else.
            PluginError: if the winner or a decorator raised.
        """
        winner = self._plugins.winner(slot)
        if winner is None:
            raise UsageError(f"nothing provides {slot}")
        self.filled[slot] = winner.plugin
        return self._call(winner, slot, expected, **arguments)

    def _call(self, winner: Implementation, slot: str, expected: type[T], /, **arguments: Any) -> T:
        self._guard(slot)
        self._expected[slot] = expected
        losers = [
            self._plugins.manager.get_plugin(found.plugin)
            for found in self._plugins.implementing(slot)
            if found.plugin != winner.plugin
        ]
        caller = self._plugins.manager.subset_hook_caller(slot, losers)
        try:
            result: T = caller(**arguments)
        except FrameworkError:
            raise
        except Exception as error:
            culprit = self._raised_by(slot, winner, error)
            raise PluginError(f"plugin '{culprit}' raised in {slot}: {type(error).__name__}: {error}") from error
        if self._plugins.decorators(slot):
            self._check(f"{listed(self._plugins.decorators(slot))}, decorating {slot},", slot, result)
        return result

    def _raised_by(self, slot: str, winner: Implementation, error: Exception) -> str:
        """The winner or the decorator whose function is the innermost on the stack of the error."""
        functions = {
            getattr(found.function, "__code__", None): found.plugin
            for found in (winner, *self._plugins.decorating(slot))
        }
        codes = [frame.f_code for frame, _ in walk_tb(error.__traceback__)]
        return next((functions[code] for code in reversed(codes) if code in functions), winner.plugin)

    def uses(self, slot: str, argument: str) -> bool:
        """Whether the plugin that fills `slot`, or one that decorates it, takes this argument."""
        return self._plugins.consumes(slot, argument)

    def note(self, text: str) -> None:
        """Tell the user something about a part: a run prints it first."""
        self.notes.append(text)

    def idle(self, plugin: str, why: str) -> None:
        """A decorator with nothing to do calls this and says why. `assemble` refuses a plugin that the user named."""
        self.without_effect[plugin] = why

    def constructor(self, slot: str, /, **arguments: Any) -> Any:
        """Fill a slot that holds a function: see `fill`."""
        kind: Any = Callable
        return self.fill(slot, kind, **arguments)

    def default_constructor(self, slot: str, /, **arguments: Any) -> Any:
        """The function that a slot's default returns, decorated. It serves a case that the winner cannot serve."""
        kind: Any = Callable
        weakest = max(self._plugins.implementing(slot), key=lambda found: found.rank)
        return self._call(weakest, slot, kind, **arguments)

    def unused_claims(self) -> list[str]:
        """One message for each claim that nothing used. Call this after all parts are built."""
        problems = []
        for claim in self._plugins.claims():
            if claim.hook in self.filled:
                continue
            user = next((slot for slot in self._plugins.users(claim.hook) if slot in self.filled), None)
            if user is None:
                problems.append(f"{claim.plugin} fills {claim.hook}, which nothing here uses: drop {claim.plugin}")
            else:
                owner = self.filled[user]
                problems.append(f"{claim.plugin} fills {claim.hook}, which {owner} provides itself: keep one")
        return problems

    def _guard(self, slot: str) -> None:
        """Register an innermost decorator of the slot. It checks the winner's part before other decorators see it."""
        if slot in self._guarded:
            return
        self._guarded.add(slot)

        def check() -> Generator[None, Any, Any]:
            result = yield
            self._check(f"{self.filled[slot]}.{slot}", slot, result)
            return result

        guard = type("Guard", (), {slot: staticmethod(hookimpl(wrapper=True, trylast=True)(check))})()
        self._plugins.manager.register(guard, f"guard of {slot}")

    def _check(self, who: str, slot: str, result: Any) -> None:
        expected = self._expected[slot]
        name = getattr(expected, "__name__", str(expected))
        if result is None:
            raise UsageError(f"{who} returned None instead of a {name}: is a 'return' missing?")
        if isinstance(result, expected):
            return
        lacking = [name for name in _members(expected) if not hasattr(result, name)]
        lacks = f": it lacks {listed(lacking)}" if lacking else ""
        raise UsageError(f"{who} returned a {type(result).__name__}, which is not a {name}{lacks}")


def _members(protocol: Any) -> list[str]:
    """The names that a protocol requires: its public names, and the operators in `OPERATORS`."""
    return [
        name for name in dir(protocol) if not name.startswith("_") or (name in vars(protocol) and name in OPERATORS)
    ]


OPERATORS = ("__call__", "__len__")
