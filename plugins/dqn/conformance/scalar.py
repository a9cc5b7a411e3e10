"""Checks of dqn's own head, which reads one number for each action: its value."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import numpy as np
import torch

from framework.conformance.check import Cause, check, expect
from framework.conformance.fixtures.batches import A, B
from framework.conformance.subject import Subject
from plugins.dqn.conformance.references import huber, slope
from plugins.dqn.conformance.rig import FEATURES, FixedStream, Rig, numbers, require_filled_by, rigged

ERRORS = (0.0, 0.5, -0.5, 1.5, -1.5, 100.0, -100.0)
LOSSES: Mapping[str, Callable[[float], float]] = {
    "huber": lambda error: huber(error, 1.0),
    "squared": lambda error: error * error,
}
POLICY = np.array([0.25, 0.75, 0.0])


def _compared(rig: Rig, online: np.ndarray, following: np.ndarray, reward: float, discount: float) -> list[np.ndarray]:
    """Return (loss, priority, gradient of the online values) of one transition with action 1."""
    head, features = rig.head(), rig.normal(1, FEATURES)
    stream = FixedStream(rig.tensor(online)[None, :, None])
    target = head(features, FixedStream(rig.tensor(following)[None, :, None]))
    given = (rig.tensor(array) for array in (POLICY[None], [reward], [discount]))
    loss, priority = head.loss(head(features, stream), torch.tensor([1]), target, *given)
    loss.sum().backward()
    assert stream.numbers.grad is not None
    return [numbers(loss), numbers(priority), numbers(stream.numbers.grad)[0, :, 0]]


@check(
    "loss",
    "dqn_head",
    Cause("the error is clipped, not its gradient, so large errors have no gradient", "devsisters/DQN-tensorflow#16"),
    Cause("the loss ignores γ", "mlaux1/rl-blox#79"),
)
def scalar_loss_is_that_of_the_paper(subject: Subject) -> None:
    """The loss is ℓ(Q(s, a), r + γ Σ π Q_target(s', ·)), the gradient is its slope, and the priority is the |error|."""
    require_filled_by(subject, "dqn_head", "dqn")
    for name, loss_of in LOSSES.items():
        with rigged(subject, {"dqn.loss": name}) as rig:
            for error, discount in itertools.product(ERRORS, (0.0, 0.81)):
                online, following = numbers(rig.normal(A)), numbers(rig.normal(A))
                goal = float(online[1]) + error
                reward = goal - discount * float((POLICY * following).sum())
                slopes = slope(lambda q, goal=goal, loss_of=loss_of: loss_of(goal - q[1]), online)  # type: ignore[misc]
                wanted = {"loss": [loss_of(error)], "priority": [abs(error)], "gradient": slopes}
                example = {"ℓ": name, "Q(s, ·)": online, "a": 1, "r": reward, "γ": discount,
                           "Q_target(s', ·)": following, "π(·|s')": POLICY}  # fmt: skip
                for what, found in zip(wanted, _compared(rig, online, following, reward, discount), strict=True):
                    accuracy = 1e-4 if what == "gradient" else 100 * rig.tolerance
                    about = {"compared": what, **example}
                    expect(found, np.array(wanted[what]), example=about, rtol=accuracy, atol=accuracy)


@check("loss", "dqn_head", Cause("the value is not the number that the stream gives"))
def scalar_values_are_the_numbers_of_the_stream(subject: Subject) -> None:
    """dqn's action values are the numbers that its stream gives, one for each action."""
    require_filled_by(subject, "dqn_head", "dqn")
    with rigged(subject) as rig:
        table = rig.normal(B, A, 1)
        values = rig.head()(rig.normal(B, FEATURES), FixedStream(table)).values
        expect(numbers(values), numbers(table)[:, :, 0], example="values of a stream of fixed numbers")
