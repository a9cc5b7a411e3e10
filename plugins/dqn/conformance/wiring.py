"""Checks of the whole loss: which network is shown what, and what the head is handed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.subject import Subject
from framework.types import Batch, TDErrors
from plugins.dqn.conformance.heads import Case
from plugins.dqn.conformance.rig import Rig, numbers, rigged


class Witness:
    """Writes down every pass of the two networks, and what the online network's head is asked to compare."""

    def __init__(self, rig: Rig, batch: Batch) -> None:
        self.shown = {"obs": rig.tensor(batch.obs), "next_obs": rig.tensor(batch.next_obs)}
        self.passes: list[tuple[str, Tensor, Any]] = []
        self.given: Case | None = None
        self.networks = {"online": rig.online, "target": rig.target}
        for name, network in self.networks.items():
            network.register_forward_hook(self._watch(name))
        loss = rig.online.head.loss

        def overheard(*arguments: Any, **named: Any) -> Any:
            self.given = Case(*arguments, **named)
            return loss(*arguments, **named)

        rig.online.head.loss = overheard

    def _watch(self, name: str) -> Callable[..., None]:
        return lambda module, inputs, output: self.passes.append((name, inputs[0], output))

    def at(self, network: str, obs: Tensor) -> list[Any]:
        """The outputs that a network gave at these observations."""
        return [output for name, seen, output in self.passes if name == network and torch.equal(seen, obs)]

    def once(self, network: str, place: str) -> Any:
        """The output that a network gave there, or gives now if nobody asked: each pass has noise of its own."""
        given = self.at(network, self.shown[place])
        return given[0] if given else self.networks[network](self.shown[place])

    def demand(self, what: str, output: Any, network: str, place: str) -> None:
        """Raise a `Violation` unless an output is that of a network at a place, "obs" or "next_obs"."""
        origins = [
            f"the {name} network at {where}"
            for name in ("online", "target")
            for where, obs in self.shown.items()
            if any(found is output for found in self.at(name, obs))
        ]
        if not origins:
            raise NotApplicable("what the head is given is no output of a whole pass of a network")
        wanted = f"the {network} network at {place}"
        require(wanted in origins, example=what, expected=wanted, got=" and ".join(origins))


def _tell_apart(rig: Rig, batch: Batch) -> None:
    """Change the weights until each network has other favourites at `obs` than at `next_obs`, and than the other."""
    for _ in range(5):
        rig.stir()
        favourites = set()
        for network, obs in itertools.product((rig.online, rig.target), (batch.obs, batch.next_obs)):
            mode = network.training
            with torch.no_grad():
                favourites.add(tuple(network.eval()(rig.tensor(obs)).values.argmax(dim=1).tolist()))
            network.train(mode)
        if len(favourites) == 4:
            return


def _learnt(rig: Rig) -> tuple[Batch, Witness, Case, TDErrors]:
    """A batch that was given to the loss, and what came of it."""
    batch = rig.batch()
    _tell_apart(rig, batch)
    witness = Witness(rig, batch)
    errors = rig.loss(batch)
    if witness.given is None:
        raise NotApplicable("the loss does not ask the online network's head")
    return batch, witness, witness.given, errors


@check(
    "loss",
    "make_loss",
    Cause("the values of another observation or of another network are moved"),
    Cause("the actions or the rewards of other rows"),
)
def the_online_values_of_the_batch_are_learnt(subject: Subject) -> None:
    """The loss moves the online network's output at `obs`, for the batch's actions and with its discounts."""
    with rigged(subject) as rig:
        batch, witness, given, errors = _learnt(rig)
        witness.demand("whose output is moved", given.online, "online", "obs")
        expect(numbers(given.action), batch.action, example="the actions that the head is given")
        example = "the discounts that the head is given"
        expect(numbers(given.discount), batch.discount, example=example, atol=rig.tolerance)
        require(isinstance(errors.update, Tensor) and errors.update.requires_grad, example="errors.update",
                expected="losses with their graph", got=errors.update)  # fmt: skip


@check(
    "loss",
    "make_loss",
    Cause("the online network evaluates, too", "facebookresearch/ReAgent#88"),
    Cause("the target network is shown s and not s'", "google-research/recsim#26"),
)
def the_target_network_evaluates_the_next_observation(subject: Subject) -> None:
    """What is bootstrapped from is the target network's output at `next_obs`."""
    with rigged(subject) as rig:
        _needs_bootstrap(subject)
        _, witness, given, _ = _learnt(rig)
        witness.demand("whose output is bootstrapped from", given.target, "target", "next_obs")


@check(
    "loss",
    "make_loss",
    Cause("the next action is chosen by the values of s", "google-research/recsim#26"),
    Cause("the networks change places on their way to the bootstrap", "higgsfield/RL-Adventure#5"),
)
def next_actions_are_chosen_at_the_next_observation(subject: Subject) -> None:
    """The distribution over next actions is the bootstrap's, of the target's and the online values at `next_obs`."""
    with rigged(subject) as rig:
        _needs_bootstrap(subject)
        _, witness, given, _ = _learnt(rig)
        with torch.no_grad():
            online = witness.once("online", "next_obs")
            wanted = rig.bootstrap()(given.target, lambda: online)
        example = {"target's values": numbers(given.target.values), "online values": numbers(online.values)}
        expect(numbers(given.policy), numbers(wanted), example=example, atol=rig.tolerance)


@check("loss", "make_loss", Cause("what is learnt from is differentiated, too, so both sides move"))
def no_gradient_flows_through_what_is_learnt_from(subject: Subject) -> None:
    """The gradient goes through the online values of `obs` alone: the target network has none, nor has its output."""
    with rigged(subject) as rig:
        _needs_bootstrap(subject)
        _, _, given, errors = _learnt(rig)
        parts = {"target": given.target.values, "policy": given.policy, "reward": given.reward}
        moving = [name for name, tensor in parts.items() if tensor.requires_grad]
        require(not moving, example="what the head is given", expected="no gradient", got=f"one in {moving}")
        errors.update.sum().backward()
        moving = [name for name, parameter in rig.target.named_parameters() if parameter.grad is not None]
        require(not moving, example="the target network's parameters", expected="no gradient", got=f"one in {moving}")
        still = all(parameter.grad is None for parameter in rig.online.parameters())
        require(not still, example="the online network's parameters", expected="a gradient", got="none in any")


@check("loss", "make_loss", Cause("the bonus gets the next observation's output in the place of the present one's"))
def the_reward_gains_the_bonus(subject: Subject) -> None:
    """The head's reward is the batch's and the bonus, which reads the target network at `obs` and `next_obs`."""
    with rigged(subject) as rig:
        _needs_bootstrap(subject)
        batch, witness, given, _ = _learnt(rig)
        bonus = rig.part("dqn_bonus", config=rig.builder.config)
        action, discount = rig.tensor(batch.action), rig.tensor(batch.discount)
        with torch.no_grad():
            before = witness.once("target", "obs")
            gained = numbers(bonus(lambda: before, action, given.target, discount))
        example = {"rewards of the batch": batch.reward, "bonus": gained}
        expect(numbers(given.reward), batch.reward + gained, example=example, atol=rig.tolerance)


def _needs_bootstrap(subject: Subject) -> None:
    """A loss that fills no slot, as pqn's, has nothing left to bootstrap."""
    if not subject.consumes("make_loss", "slots"):
        raise NotApplicable(f"the loss of {subject.owner('make_loss')} fills no dqn_bootstrap")
