"""Munchausen DQN (Vieillard et al. 2020, eq. 1) adds a scaled log-probability of the action taken to the reward,
and bootstraps from a softmax over the next action values.

y = r + α · [τ ln π(a|s)]₀ + γ · Σ_a' π(a'|s') · (Q_target(s', a') − τ ln π(a'|s')), with π = softmax(Q_target / τ)
and [x]₀ = x clipped to [l₀, 0]. With α = 0 it is Soft DQN. The bonus is for one step, so the plugin refuses
n-step returns. Distributional heads learn the mixture of the next actions' return distributions, shifted by the
entropy. M-IQN (appendix B.1 of the paper) instead takes the mean over actions within each quantile.

Paper → here (Vieillard et al. 2020, section 4):

| option | paper | here | why |
| --- | --- | --- | --- |
| `munchausen.alpha` | 0.9 | 0.9 | |
| `munchausen.temperature` | 0.03 | 0.03 | |
| `munchausen.lowest` | −1 | -1.0 | |
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from framework.config import Config, Field, Section
from framework.conformance.check import Check, checks_in
from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.types import Returns
from plugins.dqn.hookspecs import Bonus, Bootstrap, Output
from plugins.dqn.maths import bootstrapped, expected_value, taken


class MunchausenOptions(
    Section, name="munchausen", searched={"alpha": "uniform(0.5, 0.95)", "temperature": "log(0.01, 0.3)"}
):
    """The bonus and the temperature."""

    alpha: float = Field(0.9, ge=0, lt=1, description="α: weight of the bonus; 0 is Soft DQN")
    temperature: float = Field(0.03, gt=0, description="τ of the softmax, in units of value; near 0 it is greedy")
    lowest: float = Field(-1.0, le=0, description="l₀: lower bound of τ times the log-probability")


def scaled_log_policy(values: Float[Tensor, "B A"], temperature: float) -> Float[Tensor, "B A"]:
    """Return τ ln softmax(Q / τ), without overflow at any temperature (appendix B.1)."""
    shifted = values - values.max(dim=1, keepdim=True).values
    return shifted - temperature * torch.logsumexp(shifted / temperature, dim=1, keepdim=True)


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MunchausenOptions]


@hookimpl
def dqn_bootstrap(config: Config) -> Bootstrap:
    temperature = config[MunchausenOptions].temperature
    return lambda target, online: torch.softmax(target.values / temperature, dim=1)


@hookimpl
def dqn_bonus(config: Config) -> Bonus:
    options = config[MunchausenOptions]

    def bonus(
        target_before: Callable[[], Output],
        action: Int64[Tensor, " B"],
        target: Output,
        discount: Float[Tensor, " B"],
    ) -> Float[Tensor, " B"]:
        log_policy = scaled_log_policy(target.values, options.temperature)
        policy = torch.softmax(target.values / options.temperature, dim=1)
        entropy = -expected_value(log_policy, policy)
        before = taken(scaled_log_policy(target_before().values, options.temperature), action)
        return bootstrapped(options.alpha * before.clamp(options.lowest, 0), discount, entropy)

    return bonus


@hookimpl(wrapper=True)
def make_returns() -> Generator[None, Returns, Returns]:
    returns = yield
    if returns.horizon > 1:
        raise UsageError(
            f"munchausen needs one-step returns, and these returns span {returns.horizon} steps: drop munchausen "
            "or the longer returns (with pong, which adds nstep: no:nstep)"
        )
    return returns


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.dqn.conformance import munchausen, options

    return [*checks_in(munchausen), *checks_in(options)]
