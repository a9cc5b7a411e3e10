"""DQN (Mnih et al. 2015): an online network, a target network, and hooks for their parts.

A variant of DQN fills one or more of these hooks; see `plugins.dqn.hookspecs`.

Paper → here (Mnih et al. 2015, extended data table 1):

| option | paper | here | why |
| --- | --- | --- | --- |
| `dqn.hidden` | 512 | 256 | for small environments; `rainbow` and `chapter`: 512 |
| `dqn.mlp` | – | [64] | the paper has images only |
| `dqn.loss` | error clipped to [−1, 1] | huber | the same gradient |
| `dqn.optimizer` | RMSProp | adam | needs no tuning of ε; `rmsprop` is the paper's |
| `dqn.learning_rate` | 0.00025 (RMSProp) | 0.001 | Adam in place of RMSProp, and smaller networks |
| `dqn.learning_rate_left` | 1: constant | 1.0 | `gym:ID` recommends less |
| `dqn.adam_epsilon` | 0.01 (RMSProp) | 1e-08 | Adam's own value |
| `dqn.weight_decay` | – | 0.01 | for `adamw`; the value of Loshchilov & Hutter's code (2019) in torch |
| `dqn.rmsprop_decay` | 0.95 | 0.95 | |
| `dqn.rmsprop_epsilon` | 0.01 | 9.765625e-06 | 0.01 / 32²: the mean of a batch here, its sum there |
| `dqn.max_grad_norm` | – | 10.0 | Wang et al. 2016 introduced the limit |
| `dqn.precision` | – | auto | faster on images; action values stay float32 |
| `dqn.threads` | – | 1 | does not change what is learnt |
| `learning.batch_size` | 32 | 32 | as the environments need it |
| `learning.starts` | 50,000 frames | 200 | the same |
| `learning.updates_per_step` | 0.25 | 0.25 | the same |
| `replay.capacity` | 1,000,000 | 10000 | the same |
| `target.every` | 10,000 updates | 250 | the same; `target.unit` = updates counts as they do |
| `returns.gamma` | 0.99 | 0.99 | |
| `exploration.start` | 1 | 1.0 | |
| `exploration.final` | 0.1 | 0.05 | later agents use less |
| `exploration.horizon` | 1,000,000 frames | 1000 | as the environments need it |
| `evaluation.epsilon` | 0.05 | 0.001 | later agents use 0.001 (Hessel et al. 2018) |
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import nn

from framework.assembly.manager import Plugins
from framework.assembly.slots import Slots
from framework.config import Config, Section
from framework.conformance.check import Check, Purpose
from framework.hooks import hookimpl
from framework.options import RunOptions
from framework.processes.limits import require_memory
from framework.seeding import Seeds
from framework.spaces import WHOLE, leaves_of
from framework.types import Counters, Loss, Optimizer, Policy, Spaces
from plugins.dqn import hookspecs
from plugins.dqn.agent import DQNPolicy, choose_device
from plugins.dqn.gradient_step import GradientStep
from plugins.dqn.head import ScalarHead
from plugins.dqn.hookspecs import (
    Bonus,
    Bootstrap,
    HeadConstructor,
    LinearConstructor,
    StreamConstructor,
    TorsoConstructor,
)
from plugins.dqn.leaves import torso_of_leaves
from plugins.dqn.loss import DQNLoss
from plugins.dqn.maths import greedy
from plugins.dqn.networks import ActionStream, QNetwork, torso_for
from plugins.dqn.optimizers import learning_rate, optimizer_for
from plugins.dqn.options import DQNOptions
from plugins.dqn.precision import computing
from plugins.dqn.process import prepare_process

COPIES = 5
"""Arrays of the size of a layer's weights: online, target, gradient and two moments of Adam."""


@hookimpl
def add_hookspecs(plugins: Plugins) -> None:
    plugins.add_hookspecs(hookspecs)


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [DQNOptions]


@hookimpl(trylast=True)
def make_policy(spaces: Spaces, config: Config, seeds: Seeds, slots: Slots) -> Policy:
    """Build both networks from the constructors of dqn's slots."""
    options = config[DQNOptions]
    device = choose_device(config[RunOptions].device)
    prepare_process(options.threads, config[RunOptions].deterministic)
    torso = torso_of_leaves(spaces, config, slots)
    linear = slots.constructor("dqn_linear", config=config, seeds=seeds)
    stream = slots.constructor("dqn_stream", linear=linear, config=config)
    head = slots.constructor("dqn_head", spaces=spaces, config=config, seeds=seeds)
    for name, leaf in leaves_of(spaces.frame).items():
        shape = leaf.shape or ()
        if isinstance(leaf, Box) and len(shape) > 1 and leaf.dtype != np.uint8:
            what = "observations" if name == WHOLE else f"parts '{name}' of observations"
            slots.note(
                f"{what} of shape {shape} are {leaf.dtype}, so they are flattened to {math.prod(shape):,} numbers; "
                "convolutions are for images of uint8 [channels, height, width]"
            )
    dtype = computing(options.precision, device, spaces)

    def build() -> QNetwork:
        body: Any = torso()
        top = head(body.features)
        units = options.hidden or spaces.num_actions * top.width
        what = f"a layer from {body.features:,} features to {units:,} units, with its target and Adam's moments,"
        require_memory(COPIES * body.features * units * 4, what, "use smaller observations, or lower dqn.hidden")
        return QNetwork(body, stream(body.features, spaces.num_actions, top.width), top, dtype)

    return DQNPolicy(build, device, seeds)


@hookimpl(trylast=True)
def make_loss(policy: DQNPolicy, config: Config, slots: Slots) -> Loss:
    bootstrap = slots.constructor("dqn_bootstrap", config=config)
    return DQNLoss(policy, bootstrap, slots.constructor("dqn_bonus", config=config))


@hookimpl(trylast=True)
def make_optimizer(policy: DQNPolicy, config: Config, counters: Counters) -> Optimizer:
    options = config[DQNOptions]
    rate = learning_rate(options, config[RunOptions], counters)
    return GradientStep(policy, optimizer_for(policy.trainable(), options), options.max_grad_norm, rate)


@hookimpl(trylast=True)
def dqn_torso(spaces: Spaces, config: Config) -> TorsoConstructor:
    return torso_for(spaces, config[DQNOptions].mlp)


@hookimpl(trylast=True)
def dqn_linear() -> LinearConstructor:
    return nn.Linear


@hookimpl(trylast=True)
def dqn_stream(linear: LinearConstructor, config: Config) -> StreamConstructor:
    hidden = config[DQNOptions].hidden
    return lambda features, actions, width: ActionStream(linear, features, actions, width, hidden)


@hookimpl(trylast=True)
def dqn_head(config: Config) -> HeadConstructor:
    loss = config[DQNOptions].loss
    return lambda features: ScalarHead(loss)


@hookimpl(trylast=True)
def dqn_bootstrap() -> Bootstrap:
    return lambda target, online: greedy(target.values)


@hookimpl(trylast=True)
def dqn_bonus() -> Bonus:
    return lambda target_before, action, target, discount: torch.zeros_like(discount)


@hookimpl
def libraries() -> Sequence[str]:
    return ["torch"]


@hookimpl
def conformance_values(purpose: Purpose) -> Mapping[str, Any]:
    if purpose == "parts":
        return {"dqn.hidden": 32, "dqn.mlp": (32,), "dqn.learning_rate": 3e-3}
    return {"dqn.hidden": 32, "dqn.learning_rate": 2e-3} if purpose == "learning" else {"dqn.hidden": 64}


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.dqn.conformance import CHECKS

    return CHECKS
