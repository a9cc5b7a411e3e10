"""Builds the parts of a run from the names of plugins and the values of options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from framework.assembly.builder import Builder
from framework.assembly.configuration import configure, gather_sections
from framework.assembly.parts import Agent, Parts
from framework.assembly.readings import Readings, explain, read_options, unread
from framework.config import Source
from framework.environments.stream import TransitionStream
from framework.errors import UsageError
from framework.options import CheckpointOptions, RunOptions
from framework.types import Counters


def assemble(
    names: str | Sequence[str],
    values: Mapping[str, Any] | None = None,
    *,
    sources: Sequence[Source] = (),
) -> Parts:
    """Build the parts of a run. Writes nothing to disk.

    Args:
        names: the plugins, as "dqn,pong" or a sequence.
        values: options as {"section.key": value}, stronger than `sources`. A value that no part reads is an error.
        sources: further groups of values, weakest first.

    Raises:
        UsageError: with every problem that was found.
    """
    given = [*sources, Source("values", values, unread="refused")] if values else sources
    parts = assemble_tolerantly(names, given)
    idle = idle_plugins(parts)
    if idle or parts.unread:
        parts.close()
        raise UsageError([*idle, *parts.unread.values()])
    return parts


def idle_plugins(parts: Parts) -> list[str]:
    """One message for each plugin that the user named and that says that it has nothing to do here."""
    origins = parts.plugins.origins
    return [
        f"{plugin} has no effect: {why}. Drop {plugin}"
        for plugin, why in parts.slots.without_effect.items()
        if plugin in origins and origins[plugin].bundle is None
    ]


def assemble_tolerantly(names: str | Sequence[str], sources: Sequence[Source] = ()) -> Parts:
    """Build the parts of a run, even if nothing reads an option (see `Parts.unread`) or a plugin has no effect.

    Raises:
        UsageError: with every other problem that was found.
    """
    plugins, config, notes = configure(names, sources)
    builder, readings = Builder.of(plugins, config), Readings(config)
    parts = _open_and_build(replace(builder, config=readings.config), notes)
    brought = {name for name, origin in plugins.origins.items() if origin.bundle is not None}
    idle = [f"{name} has no effect: {why}" for name, why in builder.slots.without_effect.items() if name in brought]
    parts = replace(parts, builder=builder, notes=[*parts.notes, *builder.slots.notes, *idle])
    owners = {section.section_name: owner for section, owner in gather_sections(plugins).items()}
    parts.read = read_options(plugins, owners, config, readings)
    ignored = unread(sources, config, parts.read, lambda: configure(names)[1])
    parts.unread = {path: explain(path, plugins, owners, config, parts.filled) for path in ignored}
    return parts


def assemble_agent(names: str | Sequence[str], sources: Sequence[Source] = ()) -> Agent:
    """Build only the policy, as `assemble` would, with fresh weights.

    Raises:
        UsageError: with every problem that was found.
    """
    plugins, config, _ = configure(names, sources)
    builder = Builder.of(plugins, config)
    spaces = builder.spaces("evaluate")
    return Agent(builder, spaces, builder.policy(spaces))


def _open_and_build(builder: Builder, notes: list[str]) -> Parts:
    stream = builder.stream("train", builder.config[RunOptions].num_envs, "train")
    if builder.config[CheckpointOptions].every and not stream.restorable:
        owner = builder.slots.filled["make_env"]
        notes.append(f"no checkpoints: the environments of '{owner}' reset themselves and have no state_dict()")
    try:
        return _build(builder, stream, notes)
    except BaseException:
        stream.close()
        raise


def _build(builder: Builder, stream: TransitionStream, notes: Sequence[str]) -> Parts:
    spaces, counters = stream.spaces, Counters()
    policy = builder.policy(spaces)
    exploration = builder.exploration(spaces)
    returns = builder.returns() if builder.uses("make_buffer", "returns") else None
    sampler = builder.sampler() if builder.uses("make_buffer", "sampler") else None
    parts = Parts(
        builder=builder,
        spaces=spaces,
        stream=stream,
        policy=policy,
        exploration=exploration,
        returns=returns,
        sampler=sampler,
        buffer=builder.buffer(spaces, sampler, returns, policy),
        loss=builder.loss(policy, exploration),
        optimizer=builder.optimizer(policy, counters),
        target_sync=builder.target_sync(policy),
        cadence=builder.cadence(),
        collector=builder.collector(stream, policy, exploration),
        notes=notes,
        counters=counters,
    )
    problems = builder.slots.unused_claims()
    if problems:
        raise UsageError(problems)
    return parts
