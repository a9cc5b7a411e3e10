"""A verified set of plugins, on top of pluggy. Verification reports all problems of a composition at once.

Code that needs pluggy itself uses `Plugins.manager`: `framework.assembly.slots` calls hooks through it, and a few
other modules look up plugin objects. Most of the engine uses only the methods of `Plugins`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pluggy

from framework.assembly.discovery import installed, providers
from framework.errors import FrameworkError, UsageError, did_you_mean, listed
from framework.hooks import PROJECT

ENGINE = "engine"
"""The name of the plugin that holds the engine's own defaults, as messages show it."""

CLAIM, FAMILY, DEFAULT = 0, 1, 2


class PluginError(FrameworkError):
    """A plugin raised an exception. The message names the plugin; the exception is chained as the cause."""

    of_a_plugin = True


@dataclass(frozen=True)
class Implementation:
    """One plugin's function for one hook."""

    plugin: str
    hook: str
    function: Any
    arguments: tuple[str, ...]
    wrapper: bool
    rank: int


@dataclass(frozen=True)
class Expected:
    """What a gathered hook must return: in words, and as a function that tests it."""

    what: str
    accepts: Callable[[Any], bool]


@dataclass(frozen=True)
class Origin:
    """How a plugin came into a composition: the text that names it, and the bundle that brought it in, if any.

    `agent`: the bundle brought it in because the composition had no agent.
    """

    text: str
    bundle: str | None
    agent: bool = False


class Plugins:
    """The verified plugins of one run. Each run builds its own set.

    `values` are the values that bundles set, as (bundle, {"section.key": value}). `origins` says how each plugin came
    into the composition. `families` maps each family of environments to its plugins. `page` is the module that declares
    the engine's hooks.
    """

    def __init__(
        self,
        plugins: dict[str, object],
        values: Sequence[tuple[str, dict[str, Any]]] = (),
        origins: Mapping[str, Origin] | None = None,
        families: Mapping[str, Sequence[str]] | None = None,
        *,
        page: ModuleType,
    ) -> None:
        self.values = list(values)
        self.origins = dict(origins or {})
        self.families = dict(families or {})
        self.names = [name for name in plugins if name != ENGINE]
        self.manager = pluggy.PluginManager(PROJECT)
        self._page = page
        self.add_hookspecs(page)
        # sorted, so that the order of names on the command line does not matter to slots; gathered hooks see `in_order`
        self._implementations = [
            implementation
            for name in sorted(plugins, key=lambda name: (name != ENGINE, name))
            for implementation in implementations(self.manager, name, plugins[name])
        ]
        for implementation in self.implementing("add_hookspecs"):
            call(implementation, plugins=self)
        problems = [*self._plugins_without_hooks(plugins), *self._problems()]
        if problems:
            raise UsageError(problems)
        for name, plugin in plugins.items():
            self.manager.register(plugin, name)

    def add_hookspecs(self, module: ModuleType) -> None:
        """Declare the hooks of a module. A plugin calls this in its own hook `add_hookspecs`."""
        self.manager.add_hookspecs(module)

    def spec(self, hook: str) -> Any | None:
        """pluggy's record of the declared hook, or None."""
        caller = getattr(self.manager.hook, hook, None)
        return caller.spec if caller is not None else None

    def slots(self) -> list[str]:
        """Every declared slot, by module and in the order of its declarations."""
        found = [name for name in vars(self.manager.hook) if self.is_slot(name)]
        return sorted(found, key=self._place)

    def _place(self, hook: str) -> tuple[str, int]:
        spec = self.spec(hook)
        return (spec.namespace.__name__, spec.function.__code__.co_firstlineno) if spec else ("", 0)

    def is_slot(self, hook: str) -> bool:
        """Whether one plugin fills this hook; false for gathered hooks and for unknown names."""
        spec = self.spec(hook)
        return bool(spec and spec.opts["firstresult"])

    def implementing(self, hook: str) -> list[Implementation]:
        """The implementations of a hook, without decorators: the engine's first, then by plugin name."""
        return [found for found in self._implementations if found.hook == hook and not found.wrapper]

    def winner(self, slot: str) -> Implementation | None:
        """The implementation that fills a slot: a claim, else a family default, else the engine default, else None."""
        return min(self.implementing(slot), key=lambda found: found.rank, default=None)

    def claims(self) -> list[Implementation]:
        """Every claim of a slot."""
        return [
            found
            for found in self._implementations
            if found.rank == CLAIM and not found.wrapper and self.is_slot(found.hook)
        ]

    def decorators(self, slot: str) -> list[str]:
        """The names of the plugins that decorate a slot."""
        return [found.plugin for found in self.decorating(slot)]

    def decorating(self, slot: str) -> list[Implementation]:
        """The decorators of a slot."""
        return [found for found in self._implementations if found.hook == slot and found.wrapper]

    def users(self, slot: str) -> list[str]:
        """The slots that may take the part of this slot: those that declare an argument of its name."""
        argument = slot.removeprefix("make_")
        return [other for other in self.slots() if argument in getattr(self.spec(other), "argnames", ())]

    def consumes(self, slot: str, argument: str) -> bool:
        """Whether the winner of a slot, or a decorator of it, takes this argument."""
        winner = self.winner(slot)
        takers = [found for found in self._implementations if found.hook == slot and (found.wrapper or found == winner)]
        return any(argument in taker.arguments for taker in takers)

    def gather(self, hook: str, expected: Expected, **arguments: Any) -> list[tuple[str, Any]]:
        """Call a gathered hook: (plugin, result) in the order in which the plugins were named, without None results.

        Raises:
            UsageError: naming the plugin whose result is not what was expected.
        """
        results = [(found.plugin, call_gathered(found, expected, **arguments)) for found in self.in_order(hook)]
        return [(plugin, result) for plugin, result in results if result is not None]

    def in_order(self, hook: str) -> list[Implementation]:
        """The implementations of a gathered hook in the order in which the plugins were named, the engine's first."""
        order = {name: position for position, name in enumerate([ENGINE, *self.names])}
        return sorted(self.implementing(hook), key=lambda found: order[found.plugin])

    def _plugins_without_hooks(self, plugins: dict[str, object]) -> Iterable[str]:
        """One message for each plugin that implements no hook, most often because `@hookimpl` is missing."""
        working = {found.plugin for found in self._implementations}
        hooks = [name for name in vars(self.manager.hook) if not name.startswith("_")]
        for name, plugin in plugins.items():
            bare = [hook for hook in hooks if inspect.isfunction(vars(plugin).get(hook))] if name not in working else []
            if bare:
                yield f"{name} marks no hook: put @hookimpl on {listed(bare)}"
            elif name not in working:
                yield f"{name} is not a plugin: it implements no hook"

    def _problems(self) -> Iterable[str]:
        yield from self._conflicts()
        unmatched = [found for found in self._implementations if self.spec(found.hook) is None]
        to_add = yield from self._unmatched(unmatched)
        for found in self._implementations:
            yield from self._bad_signature(found)
        yield from self._missing(to_add)

    def _conflicts(self) -> Iterable[str]:
        """One message for each group of plugins with the same rank, claim or family default, in the same slots."""
        rivals: dict[tuple[str, ...], list[str]] = {}
        for hook in dict.fromkeys(found.hook for found in self._implementations):
            if self.spec(hook) is not None and not self.is_slot(hook):
                continue
            for rank in (CLAIM, FAMILY):
                names = tuple(found.plugin for found in self.implementing(hook) if found.rank == rank)
                if len(names) > 1:
                    rivals.setdefault(names, []).append(hook)
        for names, hooks in rivals.items():
            hooks.sort(key=self._place)
            brought = [f"no:{name}" for name in names if self.is_brought(name)]
            way = f" ({listed(brought)} takes out what a bundle adds)" if brought else ""
            yield f"{listed(names)} {'both' if len(names) == 2 else 'all'} provide {listed(hooks)}: keep one{way}"

    def is_brought(self, name: str) -> bool:
        """Whether a bundle brought this plugin in, so that `no:NAME` takes it out."""
        return name in self.origins and self.origins[name].bundle is not None

    def _unmatched(self, unmatched: Sequence[Implementation]) -> Any:
        """One message for each undeclared hook: it is misspelt, or a plugin is missing. Returns the missing plugins."""
        extend: dict[str, list[str]] = {}
        for found in unmatched:
            owner = owner_of(found.hook, {*installed(), *self.names})
            if owner and owner not in self.names:
                names = extend.setdefault(owner, [])
                if found.plugin not in names:
                    names.append(found.plugin)
                continue
            hint = did_you_mean(found.hook, [name for name in vars(self.manager.hook) if not name.startswith("_")])
            yield f"{found.plugin} implements '{found.hook}', which is not a hook.{hint}"
        for owner, names in extend.items():
            verb = "extends" if len(names) == 1 else "both extend" if len(names) == 2 else "all extend"
            yield f"{listed(names)} {verb} '{owner}': add {owner}"
        return list(extend)

    def _bad_signature(self, found: Implementation) -> Iterable[str]:
        where = f"{found.plugin}.{found.hook}"
        optional = [
            parameter.name
            for parameter in inspect.signature(found.function).parameters.values()
            if parameter.default is not parameter.empty
        ]
        if optional:
            yield f"{where}: drop the defaults of {listed(optional)}: pluggy never passes an argument with a default"
        spec = self.spec(found.hook)
        if spec is None:
            return
        strange = [argument for argument in found.arguments if argument not in spec.argnames]
        if strange:
            has = listed(spec.argnames) if spec.argnames else "none"
            yield f"{where} takes {listed(strange)}, which the hook does not have; the hook's arguments: {has}"
        options = getattr(found.function, f"{PROJECT}_impl", {})
        if self.is_slot(found.hook) and options.get("tryfirst"):
            yield f"{where}: tryfirst has no effect on a slot; claim it with @hookimpl alone"
        if found.wrapper and not inspect.isgeneratorfunction(found.function):
            yield f"{where}: a decorator must be a generator function: 'part = yield', then return the part"
        if found.wrapper and not self.is_slot(found.hook):
            yield f"{where}: only slots can be decorated; '{found.hook}' gathers what every plugin returns"

    def _missing(self, to_add: Sequence[str]) -> Iterable[str]:
        """One message for the engine's slots that nothing fills, with the plugins that could fill them.

        Slots that a plugin of `to_add` could fill are left out: another message already asks for that plugin.
        """
        gaps: dict[tuple[str, ...], list[str]] = {}
        for slot in self.slots():
            if self.winner(slot) is None and hasattr(self._page, slot):
                could = providers().get(slot, ())
                if not set(could) & set(to_add):
                    gaps.setdefault(could, []).append(slot)
        for could, slots in gaps.items():
            fix = f": add {listed(could, 'or')}" if could else ""
            yield f"nothing provides {listed(slots, 'or')}{fix}"


def implementations(manager: pluggy.PluginManager, name: str, plugin: object) -> Iterable[Implementation]:
    """Every hook that a plugin implements, declared or not."""
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is None:
            continue
        function = getattr(plugin, attribute)
        yield Implementation(
            plugin=name,
            hook=options.get("specname") or attribute,
            function=function,
            arguments=tuple(inspect.signature(function).parameters),
            wrapper=bool(options["wrapper"] or options["hookwrapper"]),
            rank=DEFAULT if name == ENGINE else FAMILY if options["trylast"] else CLAIM,
        )


def call_gathered(found: Implementation, expected: Expected, **arguments: Any) -> Any:
    """Call one implementation of a gathered hook. None is always accepted as its result.

    Raises:
        UsageError: naming the plugin if its result is not what was expected.
    """
    result = call(found, **arguments)
    if result is not None and not expected.accepts(result):
        raise UsageError(f"{found.plugin}.{found.hook} must return {expected.what}, not {result!r}")
    return result


def owner_of(hook: str, names: Iterable[str]) -> str:
    """The plugin that a hook belongs to, by the prefix of the hook's name; "" if none of `names` fits."""
    return max((name for name in names if hook.startswith(f"{name}_")), key=len, default="")


def call(found: Implementation, **arguments: Any) -> Any:
    """Call one implementation with the arguments that it takes. An error but a FrameworkError becomes a PluginError."""
    try:
        return found.function(**{name: arguments[name] for name in found.arguments})
    except FrameworkError:
        raise
    except Exception as error:
        raise PluginError(f"plugin '{found.plugin}' raised in {found.hook}: {type(error).__name__}: {error}") from error
