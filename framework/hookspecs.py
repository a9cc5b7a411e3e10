"""The hooks of the engine, in the order in which a run calls them. This page and its conventions are the plugin API.

A plugin is a module (or any object) with functions marked `@hookimpl`. There are two kinds of hooks:

* A **slot** holds one part. `@hookimpl` *claims* the slot. `@hookimpl(trylast=True)` offers a *family default*, as
  `dqn` and `tabular` do; a claim overrides it. The engine's own default comes last. Two plugins of the same rank are an
  error. `@hookimpl(wrapper=True)` *decorates* the part that fills the slot: `part = yield`, then return the part or
  something around it. Of several decorators, the plugin that was named last is the outermost.
* A **gathered** hook collects what every plugin returns.

The engine calls hooks while it assembles a run and when it opens environments, never for a step or an update. An
implementation names the arguments that it needs and leaves out the others. The engine does not build a part that no
later hook takes as an argument, and refuses a plugin that claims such a slot. It refuses an option that the user set
and that no part reads.

A minor version may add hooks, and arguments to hooks. It removes none and changes the meaning of none; that takes a new
`framework.hooks.API_VERSION`.

Arguments of more than one hook:

    config        the options in force: `config[MyOptions].rate` reads an option of a section
    seeds         random generators of the run: `seeds.generator("a name of your own")`
    spaces        what a policy observes and which actions it has, for all parallel environments
    names         the names of plugins (each hook says of which)
    role          what an environment is for: "train", "evaluate" or "watch"
    policy        the part from `make_policy`
    exploration   the part from `make_exploration`
    slots         fills slots of your own: `slots.constructor("dqn_head", …)` or `slots.fill("mine_part", Part, …)`,
                  with every argument that the slot declares; `slots.note(text)` tells the user something, and a
                  decorator that has nothing to do calls `slots.idle`; `slots.uses("make_loss", "exploration")` tells
                  whether the part of another slot takes an argument

Conventions beside the hooks:

* A part satisfies its protocol in `framework.types`. A part whose state changes during a run has `state_dict()` and
  `load_state_dict(state)`; the state is a nested dict of numpy arrays and JSON scalars. A part may have `manifest()`,
  which returns JSON values for the run's manifest, and `measures()`, which returns numbers for learning rows of the
  metrics (`framework.types.Measured`).
* The weights of a policy are the arrays of floating-point numbers in its state. The option run.init_from takes them
  over from another run, and nothing else. So leave constants that options set out of the state.
* An option called `threads` says how many threads a run takes; a study starts as many runs at once as fit the cores.
* `CHECK_WITH = "dqn,chain"` in a plugin's module names the plugins with which the command `check` completes it.
* A folder `templates` beside a plugin's module holds templates for the command `new`, one for each slot of the plugin's
  own: `SLOT.py` and `test_SLOT.py`.
* A folder `agent` in a plugin's package is the folder of a run. `evaluate NAME` and `watch NAME` play its agent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium

from framework.assembly.manager import Plugins
from framework.assembly.parts import RunInfo
from framework.assembly.slots import Slots
from framework.config import Config, Section, Source
from framework.conformance.check import Check, Purpose
from framework.environments.stream import TransitionStream
from framework.events import Callback
from framework.hooks import API_VERSION, Bundle, gathered, hookimpl, slot
from framework.seeding import Seeds
from framework.types import (
    Buffer,
    Cadence,
    Collector,
    Counters,
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
    """The families of environments that the plugin's environment belongs to, such as "atari".

    The engine calls this hook first, of each plugin that the user named. A bundle sees the families, and may address an
    option of every environment of a family: "atari.stack" is the option `stack` of the environment's own section.
    """
    raise NotImplementedError


@gathered
def bundle(names: Sequence[str], families: Sequence[str], plugins: Sequence[str]) -> Bundle:
    """Other plugins that this plugin brings into the composition, and values for their options.

    The engine calls this hook of each plugin before it verifies the hooks, and again until nothing changes. The last
    result counts. The user takes a part out with `no:NAME`, and so does a bundle: "no:averaging" keeps out what
    another bundle adds. What only that part brings in stays out with it. An optional part stays out where another
    plugin claims one of its slots. The `agent` of an environment's bundle comes in where no other plugin fills a
    slot, so that the environment can be run by its name alone.

    Args:
        names: the plugins that the user named, in that order.
        families: the families of the environments among them.
        plugins: every plugin of the composition so far.
    """
    raise NotImplementedError


@gathered
def add_hookspecs(plugins: Plugins) -> None:
    """Declare slots and hooks of your own. Call each `<plugin>_<what>`.

    Args:
        plugins: takes the module that declares them: `plugins.add_hookspecs(module)`.
    """


@gathered
def config_sections() -> Sequence[type[Section]]:
    """The plugin's options: subclasses of `Section`. Every field has a type, a default and a description."""
    raise NotImplementedError


@gathered
def recommended_values(names: Sequence[str]) -> Mapping[str, Any] | list[Source]:
    """Defaults for options of other plugins, as "section.key" → value. An environment recommends what suits it.

    The engine drops values of sections that are not loaded. A bundle, a file and `--set` are stronger. The command
    `config` names the plugin as the source of each value. A list of `Source`s says more: it also shows their labels.

    Args:
        names: every plugin of the composition.
    """
    raise NotImplementedError


# ── The environment ──────────────────────────────────────────────────────────────────────────────


@slot
def make_env(
    config: Config, seeds: Seeds, role: Role, num_envs: int, slots: Slots
) -> gymnasium.vector.VectorEnv[Any, Any, Any] | Callable[[], gymnasium.Env[Any, Any]]:
    """A gymnasium vector environment, or a factory of single environments that the engine puts side by side.

    The engine calls this hook for training, for each evaluation and to watch. Evaluations want raw rewards and whole
    episodes. "watch" wants `render_mode="rgb_array"`. No engine default.

    The engine reads these keys of the environment's metadata:

        frame_stack       int, default 1: frames of an observation
        stack_padding     "repeat" (default) or "zero": what stands before an episode's first frame in a stack
        frame_skip        int, default 1: emulator frames of one step
        reward_scale      float, default 1: factor of the reward that the learner gets; reported returns stay raw
        reward_clip       (low, high): bounds of that reward, after the scale
        mirror            {"axis": of a frame, negative, "actions": action → the action that the mirror shows}
        reference_scores  {"random": score of a random agent, "human": of a human, "source": where they were published}
        highest_return    a raw return that no episode exceeds; evaluation.first ends hopeless evaluations by it, too
        episodes_per_seed int, default 1: of how many episodes one gets a seed, where a reset with a seed is slow; an
                          episode may then depend on the last seed and the resets since, but not on what was played
        protocol          dict for the manifest
        action_names      for pictures and printed updates: a name for each action
        board             for pictures of a finite environment: {"rows": R, "columns": C, "moves": for each action the
                          direction (rows, columns) in which it means to move, or None, "cells": for each state its
                          (row, column), or None (default: row by row), "labels": {a state in which nobody acts: text}}

    A factory with a method `side_by_side` (`framework.types.SideBySide`) puts several environments side by side itself,
    such as in processes elsewhere.

    docs/environments.md says which observations and actions are served. Masks are in `info["action_mask"]`
    of every reset and step, or a method `action_masks` of a single environment returns them: 0 or 1 for each action.

    If a single environment has a method `q_star(gamma)`, which returns the optimal action values, float64 [S, A], the
    command `inspect` shows them beside what was learnt. S numbers the states as `framework.spaces.States` does.

    Of `info`, it reads `life_lost`, the keys that the option record.info names, and `is_success` in evaluations:
    numbers, and in a vector environment gymnasium's arrays [N] with their masks `_key`.

    It also reads gymnasium's own `autoreset_mode` and, to watch, `render_fps`. Images [H, W, C] of a single environment
    become [C, H, W], and the mirror's axis turns with them.

    In the `info` of a step, the engine reads `life_lost`: a bool, or [num_envs] of a vector environment. Where it is
    true, the learner's episode terminates, and the environment's episode goes on.

    To resume from a checkpoint, the engine plays the running episodes again from their seeds and actions. If a vector
    environment has `state_dict()` and `load_state_dict()`, the engine saves and loads its state instead.

    Args:
        num_envs: how many environments the vector environment must hold.
    """
    raise NotImplementedError


@gathered
def env_wrapper(config: Config, role: Role) -> Callable[[gymnasium.Env[Any, Any]], gymnasium.Env[Any, Any]]:
    """A function that wraps one environment. Wrappers are applied in the order in which the user named the plugins."""
    raise NotImplementedError


# ── The agent ────────────────────────────────────────────────────────────────────────────────────


@slot
def make_policy(spaces: Spaces, config: Config, seeds: Seeds, slots: Slots) -> Policy:
    """The part that estimates action values. Raise `UnsupportedSpace` for spaces that it cannot serve.

    No engine default: a family (`dqn`, `tabular`) fills this slot.
    """
    raise NotImplementedError


@slot
def make_exploration(spaces: Spaces, config: Config, seeds: Seeds) -> Exploration:
    """The part that turns action values into actions during training. Raise `UnsupportedSpace` as `make_policy` does.

    Engine default: ε-greedy, with ε on a schedule.
    """
    raise NotImplementedError


# ── Memory ───────────────────────────────────────────────────────────────────────────────────────


@slot
def make_returns(config: Config) -> Returns:
    """The part that folds the rewards after a transition into its return. Engine default: one step."""
    raise NotImplementedError


@slot
def make_sampler(config: Config, seeds: Seeds) -> Sampler:
    """The part that chooses the transitions of a batch, and their weights.

    Engine default: uniform, without replacement in a batch.
    """
    raise NotImplementedError


@slot
def make_buffer(
    spaces: Spaces, sampler: Sampler, returns: Returns, policy: Policy, config: Config, seeds: Seeds, slots: Slots
) -> Buffer:
    """The part that stores transitions and gives batches of them.

    Engine default: a ring of frames for each environment, which stores each frame once.

    Args:
        sampler: the part from `make_sampler`.
        returns: the part from `make_returns`.
    """
    raise NotImplementedError


# ── Learning ─────────────────────────────────────────────────────────────────────────────────────


@slot
def make_loss(policy: Policy, exploration: Exploration, config: Config, seeds: Seeds, slots: Slots) -> Loss:
    """The part that computes the temporal-difference errors of a batch. On-policy losses ask `exploration` how it acts.

    No engine default: a family fills this slot.
    """
    raise NotImplementedError


@slot
def make_optimizer(policy: Policy, config: Config, counters: Counters) -> Optimizer:
    """The part that changes the policy by the errors of a batch. No engine default: a family fills this slot.

    Args:
        counters: the run's own counters, for schedules. They advance with the run, and only the loop advances them.
    """
    raise NotImplementedError


@slot
def make_target_sync(policy: Policy, config: Config, slots: Slots) -> TargetSync:
    """The part that decides when the target network follows. Engine default: an exact copy every `target.every`."""
    raise NotImplementedError


@slot
def make_cadence(config: Config) -> Cadence:
    """The part that decides how many updates are due.

    Engine default: none before `learning.starts`, then `learning.updates_per_step` for each environment step.
    """
    raise NotImplementedError


# ── The run ──────────────────────────────────────────────────────────────────────────────────────


@slot
def make_collector(
    stream: TransitionStream, policy: Policy, exploration: Exploration, config: Config, seeds: Seeds, slots: Slots
) -> Collector:
    """The part that acts in the environments. Engine default: it acts in this process.

    A plugin that decorates it to see each step uses `framework.defaults.collector.observed`.

    Args:
        stream: the training environments as one stream of transitions.
    """
    raise NotImplementedError


@gathered
def make_callbacks(config: Config, run: RunInfo) -> Sequence[Callback]:
    """Listeners of the run's events. `train` calls this hook when all parts are built.

    Args:
        run: the run's parts, its folder, whether it shows progress, and what it shows in TensorBoard.
    """
    raise NotImplementedError


@gathered
def libraries() -> Sequence[str]:
    """The distributions on which a run's numbers depend, such as "torch". The manifest holds their versions."""
    raise NotImplementedError


# ── Proof ────────────────────────────────────────────────────────────────────────────────────────


@gathered
def conformance_values(purpose: Purpose) -> Mapping[str, Any]:
    """Values of the plugin's options that suit the tiny environments of the command `check`, as "section.key" → value.

    Only that command calls this hook. In "parts", a value that the composition itself sets is stronger.

    Args:
        purpose: "parts" for single parts and short runs, where networks should be small; "learning" for agents that
            must be right within 4,000 steps, with returns between −1 and 2; "optimum" for agents that learn a tiny
            environment of the user's for 20,000 steps.
    """
    raise NotImplementedError


@gathered
def conformance_checks() -> Sequence[Check]:
    """Checks of what the plugin promises, for the command `check`: see `framework.conformance.check`.

    Only that command calls this hook. Import the module that holds the checks within the function, so that training
    does not pay for it.
    """
    raise NotImplementedError
