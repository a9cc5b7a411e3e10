"""Checks that the loss of every head must pass, whatever the head represents."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.fixtures.batches import A, B
from framework.conformance.subject import Subject
from plugins.dqn.conformance.rig import (
    FEATURES,
    AffineStream,
    Rig,
    numbers,
    one_hot,
    rigged,
    row_of,
    tensors_of,
    with_changed_tensors,
)


class Case(NamedTuple):
    """The arguments of a head's loss."""

    online: Any
    action: Tensor
    target: Any
    policy: Tensor
    reward: Tensor
    discount: Tensor


def some_case(rig: Rig, head: Any) -> Case:
    """Return random outputs of two networks, and a random action, next action, reward and discount for each row."""
    features, stream = rig.normal(B, FEATURES), AffineStream(rig, head.width)
    with torch.no_grad():
        target = head(rig.normal(B, FEATURES), AffineStream(rig, head.width))
    action, following = (torch.from_numpy(rig.rng.integers(A, size=B)) for _ in range(2))
    discount = rig.tensor(rig.rng.uniform(0.5, 1.0, size=B))
    return Case(head(features, stream), action, target, one_hot(following), 0.3 * rig.normal(B), discount)


@check("loss", "dqn_head", Cause("shapes (B,) and (B, 1) broadcast to a matrix of errors", "chainer/chainerrl#359"))
def head_has_one_loss_and_one_priority_for_each_row(subject: Subject) -> None:
    """A head returns one loss and one priority for each row of the batch, and only the loss has a gradient."""
    with rigged(subject) as rig:
        head = rig.head()
        loss, priority = head.loss(*some_case(rig, head))
        expect(tuple(loss.shape), (B,), example="the shape of the loss")
        expect(tuple(priority.shape), (B,), example="the shape of the priorities")
        require(loss.requires_grad, example="the loss", expected="a gradient", got="none")
        require(not priority.requires_grad, example="the priorities", expected="no gradient", got="one")


@check(
    "loss",
    "dqn_head",
    Cause("shapes (B,) and (B, 1) broadcast to a matrix of errors", "chainer/chainerrl#359"),
    Cause("the axis of atoms is used as the batch axis", "archsyscall/DistRL-TensorFlow2#1"),
)
def rows_of_a_batch_are_learnt_apart(subject: Subject) -> None:
    """The loss and the priority of a transition do not depend on the other transitions of the batch."""
    with rigged(subject) as rig:
        head = rig.head()
        case = some_case(rig, head)
        together = head.loss(*case)
        for row in range(B):
            rest = (case.action, case.policy, case.reward, case.discount)
            action, policy, reward, discount = (tensor[row : row + 1] for tensor in rest)
            alone = head.loss(row_of(case.online, row), action, row_of(case.target, row), policy, reward, discount)
            for what, whole, part in zip(("loss", "priority"), together, alone, strict=True):
                example = f"the {what} of row {row} of {B}, compared with the same row alone"
                expect(numbers(whole)[row], numbers(part)[0], example=example, atol=rig.tolerance, rtol=rig.tolerance)


@check(
    "loss",
    "dqn_head",
    Cause("NaN · 0 is NaN: select with `where` instead of multiplying", "anthonytorlucci/rlevo#192"),
    Cause("the exponent or the mask is taken from the wrong flag", "takuseno/d3rlpy#346"),
)
def a_discount_of_0_lets_nothing_through(subject: Subject) -> None:
    """Where the discount is 0, loss and priority do not depend on the target network's output, even if it is NaN."""
    with rigged(subject) as rig:
        head = rig.head()
        case = some_case(rig, head)
        ended = torch.arange(B) % 2 == 0
        case = case._replace(discount=torch.where(ended, 0.0, case.discount))
        wanted = head.loss(*case)
        for what, filler in (("another number", 3.25), ("NaN", float("nan"))):

            def spoil(tensor: Tensor, filler: float = filler) -> Tensor:
                return torch.where(ended.view(-1, *[1] * (tensor.ndim - 1)), filler, tensor)

            loss, priority = head.loss(*case._replace(target=with_changed_tensors(case.target, spoil)))
            example = f"discounts {numbers(case.discount)}, and {what} as the target's output where they are 0"
            expect(numbers(loss), numbers(wanted[0]), example=f"losses with {example}", atol=rig.tolerance)
            expect(numbers(priority), numbers(wanted[1]), example=f"priorities with {example}", atol=rig.tolerance)


@check(
    "loss",
    "dqn_head",
    Cause("the output of a wrong action is gathered"),
    Cause("the loss is a mean over all actions"),
)
def only_the_taken_action_is_learnt(subject: Subject) -> None:
    """The loss has a gradient with respect to the outputs of the action taken, and of no other action."""
    with rigged(subject) as rig:
        head = rig.head()
        case = some_case(rig, head)
        outputs = {n: t for n, t in tensors_of(case.online).items() if t.shape[:2] == (B, A) and t.requires_grad}
        if not outputs:
            raise NotApplicable("the head's output has no tensor [B, A, …] with a gradient")
        loss, _ = head.loss(*case)
        # the sum, not the mean, leaves each row's gradient unscaled
        gradients = torch.autograd.grad(loss.sum(), list(outputs.values()), allow_unused=True)
        learnt = torch.zeros(B, A, dtype=torch.bool)
        for gradient in gradients:
            if gradient is not None:
                learnt |= (gradient.reshape(B, A, -1) != 0).any(dim=2)
        example = {"actions": numbers(case.action), "rows × actions": "1 where an output has a gradient"}
        expect(numbers(learnt).astype(int), numbers(one_hot(case.action)).astype(int), example=example)


@check(
    "loss",
    "dqn_head",
    Cause(
        "the maximum over actions is taken separately for each quantile or atom",
        "Stable-Baselines-Team/stable-baselines3-contrib#17",
    ),
    Cause(
        "the argmax over actions is taken separately for each τ",
        "JuliaReinforcementLearning/ReinforcementLearningZoo.jl#53",
    ),
    Cause("the head selects the best action itself and ignores `policy`"),
)
def the_given_next_action_is_what_is_bootstrapped(subject: Subject) -> None:
    """A head bootstraps from the next actions to which `policy` gives a probability, and from no others."""
    with rigged(subject) as rig:
        head = rig.head()
        case = some_case(rig, head)
        wanted, _ = head.loss(*case)
        named = case.policy > 0

        def shifted(where: Tensor) -> Tensor:
            def change(tensor: Tensor) -> Tensor:
                # a different shift for each atom or quantile: a common one does not change a softmax over atoms
                step = 0.5 + torch.linspace(0, 1, tensor[0, 0].numel()).view(tensor.shape[2:])
                return torch.where(where.view(B, A, *[1] * (tensor.ndim - 2)), tensor + step, tensor)

            return head.loss(*case._replace(target=with_changed_tensors(case.target, change)))[0]

        following = numbers(case.policy.argmax(dim=1))
        example = {"next actions": following, "the others' outputs": "shifted upwards"}
        expect(numbers(shifted(~named)), numbers(wanted), example=example, atol=rig.tolerance)
        moved = (shifted(named) - wanted).abs() > rig.tolerance
        example = {"next actions": following, "their outputs": "shifted upwards"}
        require(
            moved.all(), example=example, expected="a different loss in every row", got=numbers(moved.to(torch.int))
        )
