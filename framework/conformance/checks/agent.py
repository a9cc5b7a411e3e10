"""Checks of whole agents on problems with known answers. They come last, after the checks of every part.

Each agent learns until it has been right three times in a row, or for much longer than a correct one needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gymnasium.spaces import Discrete

from framework.assembly.parts import Parts
from framework.conformance.check import Cause, NotApplicable, check
from framework.conformance.fixtures.learning import OptimalActionsJudge, ReturnsJudge, ValuesJudge, learn
from framework.conformance.fixtures.spies import single_environments
from framework.conformance.subject import Subject
from framework.errors import UnsupportedSpace, UsageError
from framework.options import ReturnsOptions

GAMMA = 0.5

LADDER: Mapping[str, Any] = {
    "run.steps": 4_000,
    "run.episodes": None,
    "run.until": None,
    "run.num_envs": 2,
    "returns.gamma": GAMMA,
    "replay.capacity": 1_000,
    "learning.starts": 32,
    "learning.batch_size": 16,
    "learning.updates_per_step": 0.5,
    "target.every": 20,
    "target.unit": "updates",
    "exploration.start": 1.0,
    "exploration.final": 0.5,
    "exploration.shape": "linear",
    "exploration.horizon": 200,
    "exploration.unit": "env_steps",
}
"""Options with much exploration until the end, so that the result depends little on chance."""

TOLERANCE = 0.2
"""For rewards of −1 and 1. A correct network is closer after a few hundred updates; one with such a bug is not."""

JUDGE_EVERY = 25
"""Environment steps between two judgements of an agent on a probe."""

FALSE_ALARM = 1e-5
"""Measured, not derived. The slowest of about 2,000 correct agents needed 900 of the 4,000 steps; nearly all needed
fewer than 500. Suppose that each further 150 steps (six judgements) succeed with probability 1/2; in fact they are more
likely to. Then 3,000 more steps all fail with probability 2^-20, less than 1e-6. The same holds for 20,000 steps where
the slowest needed 2,000.
"""

SECONDS = 120


def _learns_probe(subject: Subject, probe: str, tolerance: float = TOLERANCE, always: bool = True) -> None:
    with subject.probed(probe, {**LADDER, **subject.values_for("learning")}) as parts:
        env = single_environments(subject, parts.stream)[0]
        judge = ValuesJudge(parts, env, GAMMA, tolerance, always)
        learn(parts, judge, JUDGE_EVERY, {"environment": f"the probe '{probe}'", "γ": GAMMA})


@check(
    "agent",
    "make_loss",
    Cause("the loss bootstraps after the end of an episode, so that values grow without limit"),
    Cause("the optimiser does not move the policy, or not towards the target"),
    false_alarm=FALSE_ALARM,
    seconds=SECONDS,
)
def learns_a_constant(subject: Subject) -> None:
    """The agent learns the value 1 of a state whose only step has a reward of 1."""
    _learns_probe(subject, "constant")


@check("agent", "make_policy", Cause("values do not depend on observations"), false_alarm=FALSE_ALARM, seconds=SECONDS)
def learns_what_an_observation_is_worth(subject: Subject) -> None:
    """The agent learns the values −1 and 1 of two states with one step each and rewards of −1 and 1."""
    _learns_probe(subject, "by_observation")


@check(
    "agent",
    "make_loss",
    Cause("γ never reaches the loss", "mlaux1/rl-blox#79"),
    Cause("the exponent of γ is computed from the ends", "takuseno/d3rlpy#346"),
    Cause("the target network gets the observation instead of its successor", "google-research/recsim#26"),
    Cause("the target network is never updated", "higgsfield-ai/higgsfield#14"),
    false_alarm=FALSE_ALARM,
    seconds=SECONDS,
)
def learns_from_what_follows(subject: Subject) -> None:
    """If the second of two steps gives a reward of 1, the agent learns the values γ and 1 of the two states."""
    _learns_probe(subject, "delayed", tolerance=0.15)


@check(
    "agent",
    "make_policy",
    Cause("values and actions are in different orders"),
    false_alarm=FALSE_ALARM,
    seconds=SECONDS,
)
def learns_which_action_pays(subject: Subject) -> None:
    """If one action earns −1 and the other 1, the agent prefers the second and learns its value 1."""
    _learns_probe(subject, "by_action")


@check(
    "agent",
    "make_policy",
    Cause("rows of a batch get mixed up", "chainer/chainerrl#359"),
    false_alarm=FALSE_ALARM,
    seconds=SECONDS,
)
def learns_which_action_pays_where(subject: Subject) -> None:
    """If a different action earns 1 in each of two states, the agent prefers that action and learns its value 1."""
    _learns_probe(subject, "by_both")


@check(
    "agent",
    "make_loss",
    Cause("the agent learns a maximum or a quantile instead of the mean"),
    false_alarm=FALSE_ALARM,
    seconds=SECONDS,
)
def learns_the_mean_of_a_coin(subject: Subject) -> None:
    """An action that earns −1 or 1 with equal probability gets the value 0, less than one that always earns 1/2."""
    _learns_probe(subject, "coin", tolerance=0.3, always=False)


@check(
    "agent",
    "make_returns",
    Cause("truncation is treated as termination, so that nothing is bootstrapped", "keras-rl/keras-rl#298"),
    Cause("the loss bootstraps from the observation after the reset", "DLR-RM/stable-baselines3#934"),
    false_alarm=FALSE_ALARM,
    seconds=SECONDS,
)
def looks_beyond_a_truncation(subject: Subject) -> None:
    """A reward of 1 in every step gives the value 1/(1 − γ), although episodes are truncated after five steps."""
    _learns_probe(subject, "endless")


@check(
    "agent",
    "make_policy",
    Cause(
        "stacks hold frames of other episodes, or in another order than when acting", "berkeleydeeprlcourse/homework#52"
    ),
    false_alarm=FALSE_ALARM,
    seconds=SECONDS,
)
def sees_movement_in_a_stack(subject: Subject) -> None:
    """The agent learns the direction of a movement, which no single frame shows, from a frame stack."""
    stack = max(subject.spaces.frame_stack, 2)
    if subject.observations == "discrete":
        raise NotApplicable("discrete observations are not stacked")
    if subject.observations == "image" and subject.spaces.frame_stack < 2:
        raise NotApplicable("the environment's images are not stacked")
    try:
        with subject.probed("velocity", {**LADDER, **subject.values_for("learning"), "probe.stack": stack}) as parts:
            learn(
                parts,
                ReturnsJudge(parts, 2.0, 12),
                2 * JUDGE_EVERY,
                {"environment": "the probe 'velocity'", "stack": stack},
            )
    except UsageError as error:
        if isinstance(error.__cause__, UnsupportedSpace):
            raise NotApplicable(f"the composition cannot use these frame stacks: {error}") from error
        raise


@check(
    "agent",
    "make_loss",
    Cause("parts that do not fit together, although each is right alone"),
    false_alarm=FALSE_ALARM,
    seconds=SECONDS,
)
def finds_the_best_actions(subject: Subject) -> None:
    """In an environment with known optimal action values, every greedy action from the start is optimal."""
    if not isinstance(subject.spaces.observation, Discrete):
        raise NotApplicable("the environment does not give its optimal action values")
    ends = {"run.steps": 20_000, "run.episodes": None, "run.until": None}
    with subject.assembled({**ends, **subject.values_for("optimum")}) as parts:
        model, gamma = _model(subject, parts), parts.config[ReturnsOptions].gamma
        if model is None or not gamma < 1:
            raise NotApplicable("the environment does not give its optimal action values")
        learn(
            parts,
            OptimalActionsJudge(parts, model.q_star(gamma)),
            250,
            {"environment": type(model).__name__, "γ": gamma},
        )


def _model(subject: Subject, parts: Parts) -> Any:
    """The environment if it gives its optimal action values for a γ (`q_star`), otherwise None."""
    if not hasattr(parts.stream.env, "envs"):
        return None
    env = single_environments(subject, parts.stream)[0]
    return env if hasattr(env, "q_star") else None
