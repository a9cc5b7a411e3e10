"""The whole plugin API, in the order in which a run is assembled.

A plugin is a module (or any object) with functions marked `@hookimpl`. There are two kinds of hooks:

* a **slot** holds one part. `@hookimpl` *claims* it; `@hookimpl(trylast=True)` offers a *family
  default* (as `dqn` and `tabular` do), which a claim overrides; the engine's own default stands last.
  Two of the same rank are an error. `@hookimpl(wrapper=True)` decorates whatever fills the slot.
* a **gathered** hook collects what every plugin returns.

Every hook is called while the run is assembled, never in the training loop. An implementation takes
whichever of the arguments it needs, by name; a part whose argument the winner of a later slot leaves
out is not built, and claiming such a part is an error. New arguments may be added to a hook in a
minor version; none is removed or changes its meaning without a new `API_VERSION`.

The protocols of the parts are in `framework.types`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium

from framework.assembly.manager import Plugins
from framework.assembly.parts import RunInfo
from framework.assembly.slots import Slots
from framework.config import Config, Section
from framework.conformance.check import Check, Purpose
from framework.environments.stream import TransitionStream
from framework.events import Callback
from framework.hooks import API_VERSION, Bundle, gathered, hookimpl, slot
from framework.seeding import Seeds
from framework.types import (
    Buffer,
    Cadence,
    Collector,
    Exploration,
    Loss,
    Optimizer,
    Policy,
    Returns,
    Role,
    Sampler,
    Spaces,
    TargetSync,
)

__all__ = ["API_VERSION", "Bundle", "gathered", "hookimpl", "slot"]


# ── Before anything is built ─────────────────────────────────────────────────────────────────────


@gathered
def families() -> Sequence[str]:
    """The families that an environment belongs to, such as "atari".

    Called first of all hooks, for each plugin that the user named. Bundles see the names, and may give a value to the
    environment of a family whatever its own name is: "atari.stack" is the option `stack` of the environment's section.
    """
    raise NotImplementedError


@gathered
def bundle(names: Sequence[str], families: Sequence[str]) -> Bundle:
    """Stand for other plugins and give them values.

    names: what the user named, in that order. families: those of the environments among them. Called once for each
    plugin, before hooks are verified.
    """
    raise NotImplementedError


@gathered
def add_hookspecs(plugins: Plugins) -> None:
    """Declare hooks of your own: `plugins.add_hookspecs(module)`. Each is named `<plugin>_<what>`."""


@gathered
def config_sections() -> Sequence[type[Section]]:
    """The plugin's options: subclasses of `Section`, every field typed, described and with a default."""
    raise NotImplementedError


@gathered
def recommended_values(names: Sequence[str]) -> Mapping[str, Any]:
    """Defaults that the plugin would rather have in other sections, as "section.key" → value.

    names: every plugin of the composition. For environments: what suits them. Keys of sections that
    are not loaded are dropped; a bundle, a file or `--set` overrides the rest.
    """
    raise NotImplementedError


# ── The environment ──────────────────────────────────────────────────────────────────────────────


@slot
def make_env(
    config: Config, seeds: Seeds, role: Role, num_envs: int
) -> gymnasium.vector.VectorEnv[Any, Any, Any] | Callable[[], gymnasium.Env[Any, Any]]:
    """A gymnasium vector environment, or a factory of single ones for the engine to put side by side.

    Called once for each role in use: "train", "evaluate" (raw rewards, full episodes) and "watch"
    (`render_mode="rgb_array"`). The engine reads from the environment's metadata: `frame_stack` (int, 1),
    `stack_padding` ("repeat" or "zero"), `frame_skip` (int, 1), `reward_clip` (low, high; what the learner gets)
    `mirror` ({"axis": of a frame, "actions": in the order in which the mirror shows them}) and `protocol` (a dict for
    the manifest). To go on from a checkpoint, episodes are played again from their seeds and actions; a vector
    environment with `state_dict()` and `load_state_dict()` is asked for its state instead.
    """
    raise NotImplementedError


@gathered
def env_wrapper(config: Config, role: Role) -> Callable[[gymnasium.Env[Any, Any]], gymnasium.Env[Any, Any]]:
    """A function that wraps each single environment; applied in the order in which the plugins were named."""
    raise NotImplementedError


# ── The agent ────────────────────────────────────────────────────────────────────────────────────


@slot
def make_policy(spaces: Spaces, config: Config, seeds: Seeds, slots: Slots) -> Policy:
    """What the agent thinks each action is worth. Raise `UnsupportedSpace` for spaces it cannot serve.

    slots: fills hooks of the plugin's own, as in `slots.fill("dqn_head", spaces=spaces)`.
    """
    raise NotImplementedError


@slot
def make_exploration(spaces: Spaces, config: Config, seeds: Seeds) -> Exploration:
    """How values become actions while training. Engine default: ε-greedy on a schedule.

    Raise `UnsupportedSpace` for spaces it cannot serve.
    """
    raise NotImplementedError


# ── Memory ───────────────────────────────────────────────────────────────────────────────────────


@slot
def make_returns(config: Config) -> Returns:
    """How the rewards after a transition's start become its return. Engine default: one step."""
    raise NotImplementedError


@slot
def make_sampler(config: Config, seeds: Seeds) -> Sampler:
    """Which transitions a batch holds, and with what weights. Engine default: uniform, none twice in a batch."""
    raise NotImplementedError


@slot
def make_buffer(
    spaces: Spaces, sampler: Sampler, returns: Returns, policy: Policy, config: Config, seeds: Seeds, slots: Slots
) -> Buffer:
    """Where transitions are kept. Engine default: a ring of frames for each environment, each frame stored once."""
    raise NotImplementedError


# ── Learning ─────────────────────────────────────────────────────────────────────────────────────


@slot
def make_loss(policy: Policy, exploration: Exploration, config: Config, seeds: Seeds, slots: Slots) -> Loss:
    """The error of a batch.

    exploration: for on-policy losses, which ask how the agent acts.
    """
    raise NotImplementedError


@slot
def make_optimizer(policy: Policy, config: Config) -> Optimizer:
    """How errors move the policy."""
    raise NotImplementedError


@slot
def make_target_sync(policy: Policy, config: Config) -> TargetSync:
    """When the target network follows. Engine default: an exact copy every so often."""
    raise NotImplementedError


@slot
def make_cadence(config: Config) -> Cadence:
    """How many updates are due. Engine default: a warm-up, then a fixed number of updates an environment step."""
    raise NotImplementedError


# ── The run ──────────────────────────────────────────────────────────────────────────────────────


@slot
def make_collector(stream: TransitionStream, policy: Policy, exploration: Exploration) -> Collector:
    """Who acts. Engine default: this process."""
    raise NotImplementedError


@gathered
def make_callbacks(config: Config, run: RunInfo) -> Sequence[Callback]:
    """Listeners of the run's events.

    run: the run's folder and parts. Called by `train`, once everything else stands.
    """
    raise NotImplementedError


@gathered
def libraries() -> Sequence[str]:
    """The distributions on which a run's numbers depend, such as "torch". The manifest holds their versions."""
    raise NotImplementedError


# ── Proof ────────────────────────────────────────────────────────────────────────────────────────


@gathered
def conformance_values(purpose: Purpose) -> Mapping[str, Any]:
    """Options of the plugin's own that suit the tiny environments of the command `check`, as "section.key" → value.

    purpose: "parts" for single parts and short runs: networks are small. "learning" for agents that must be right
    within 4,000 steps, whose returns lie between −1 and 2. "optimum" for those that get 20,000 steps on an environment
    of the user's. In "parts", what the composition sets is stronger. Called by that command alone.
    """
    raise NotImplementedError


@gathered
def conformance_checks() -> Sequence[Check]:
    """Checks of the plugin's own promises, for the command `check`; see `framework.conformance.check`.

    Called by that command alone: import the module that holds the checks within the function.
    """
    raise NotImplementedError
