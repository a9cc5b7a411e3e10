"""The parts of DQN that learn: the policy with its two networks, the loss and the optimiser."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from framework.errors import UsageError
from framework.seeding import Seeds
from framework.spaces import MASK, WHOLE, legal_actions
from framework.types import Batch, Counters, ExportedModel, ModelInput, State, TDErrors
from plugins.dqn.hookspecs import Bonus, Bootstrap, DistributionalHead, Output
from plugins.dqn.masks import restricted
from plugins.dqn.networks import Observation, QNetwork
from plugins.dqn.sources import load_sources, save_sources
from plugins.dqn.weights import NetworkTensors, as_arrays, follow, load_arrays

Moments: TypeAlias = dict[int, dict[str, Tensor]]
"""The state of a torch optimiser: index of a tensor → name → number or moment."""


def choose_device(name: str) -> torch.device:
    """Return the device with this name; "auto" is CUDA if torch finds a CUDA device, else the CPU.

    Raises:
        UsageError: if the name is "cuda" and torch finds no CUDA device.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UsageError("run.device = 'cuda', but torch finds no CUDA device here: use --device auto or --device cpu")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


class DQNPolicy:
    """An online network and a target network, which starts as a copy of it.

    The two networks share no tensors. They share their random sources (`plugins.dqn.sources`).
    """

    def __init__(self, build: Callable[[], QNetwork], device: torch.device, seeds: Seeds) -> None:
        self.device = device
        with torch.random.fork_rng():
            torch.manual_seed(seeds.integer("network"))
            self.online = build().to(device)
        self.target = copy.deepcopy(self.online).requires_grad_(False)
        self.online.train()
        self.target.train()
        self.online_tensors, self.target_tensors = NetworkTensors(self.online), NetworkTensors(self.target)

    def tensor(self, array: Shaped[np.ndarray, "*shape"]) -> Shaped[Tensor, "*shape"]:
        """Return an array as a tensor on the policy's device. float64 becomes torch's default dtype."""
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            tensor = tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(torch.get_default_dtype()) if tensor.dtype == torch.float64 else tensor

    def tensors(self, obs: Shaped[np.ndarray, "N *obs"]) -> Observation:
        """Return observations as the network takes them: a tensor, or leaf → tensor. Masks are left out."""
        names = [name for name in obs.dtype.names or () if name != MASK]
        if not names:
            return self.tensor(obs)
        # copied, because torch refuses the strides of a field
        leaves = {name: self.tensor(obs[name].copy()) for name in names}
        return leaves[WHOLE] if names == [WHOLE] else leaves

    def action_values(self, obs: Shaped[np.ndarray, "N *obs"], explore: bool) -> Float[np.ndarray, "N A"]:
        self.set_training(explore)
        return self.values_of(self.online, obs)

    @property
    def evaluated(self) -> QNetwork:
        """The network that acts where the policy does not explore."""
        return self.online

    def export(self, suffix: str, inputs: Sequence[ModelInput], metadata: str) -> ExportedModel:
        """Export the network that plays evaluations: see `framework.types.Exportable`."""
        from plugins.dqn.export import export_network

        return export_network(self.evaluated, self.tensors, suffix, inputs, metadata)

    def values_of(self, network: QNetwork, obs: Shaped[np.ndarray, "N *obs"]) -> Float[np.ndarray, "N A"]:
        """Return the action values of one of the policy's networks, without a change of its training mode."""
        with torch.inference_mode():
            output = cast(Output, network(self.tensors(obs)))
            return output.values.cpu().numpy()

    def return_distribution(
        self, obs: Shaped[np.ndarray, "N *obs"]
    ) -> tuple[Float[np.ndarray, "N A K"], Float[np.ndarray, "N A K"]] | None:
        self.set_training(False)
        return self.distribution_of(self.online, obs)

    def distribution_of(
        self, network: QNetwork, obs: Shaped[np.ndarray, "N *obs"]
    ) -> tuple[Float[np.ndarray, "N A K"], Float[np.ndarray, "N A K"]] | None:
        """Return possible returns and their probabilities by one of the policy's networks; None if it has values only.

        See `framework.types.Distributional`.
        """
        head = network.head
        if not isinstance(head, DistributionalHead):
            return None
        with torch.inference_mode():
            returns, chances = head.distribution(network(self.tensors(obs)))
            return returns.cpu().numpy(), chances.cpu().numpy()

    def set_training(self, training: bool) -> None:
        """Switch the online network to training or to evaluation mode.

        If it is in this mode already, the method does nothing, because a visit to every module takes time.
        """
        if self.online.training is not training:
            self.online.train(training)

    def update_target(self, fraction: float) -> None:
        """target ← fraction · online + (1 − fraction) · target; integer buffers are copied."""
        follow(self.target_tensors(), self.online_tensors(), fraction)

    def trainable(self) -> list[Tensor]:
        """Return what an optimiser moves: the vectors that hold the online network's parameters.

        If one of the parameters needs no gradient, these are the parameters themselves, so that it stays as it is.
        """
        tensors = self.online_tensors
        return tensors.vectors() if all(one.requires_grad for one in tensors.parameters) else tensors.parameters

    def state_dict(self) -> State:
        return {
            "online": as_arrays(self.online),
            "target": as_arrays(self.target),
            "sources": save_sources(self.online),
        }

    def load_state_dict(self, state: State) -> None:
        """Restore the networks.

        Raises:
            UsageError: if the weights belong to another network or another kind of policy.
        """
        if not {"online", "target"} <= set(state):
            raise UsageError("the weights hold no online and target network: another kind of policy saved them")
        load_arrays(self.online, state["online"])
        load_arrays(self.target, state["target"])
        load_sources(self.online, state.get("sources", {}))

    def manifest(self) -> Mapping[str, Any]:
        """Return what the run's manifest records about the network and how torch computes it."""
        return {
            "device": str(self.device),
            "dtype": str(torch.get_default_dtype()),
            "computing": str(self.online.computing or torch.get_default_dtype()),
            "threads": torch.get_num_threads(),
            "parameters": sum(parameter.numel() for parameter in self.online.parameters()),
            "network": str(self.online).splitlines(),
            "torch": torch.__version__,
        }


class DQNLoss:
    """The loss between Q(s, a) and r + bonus + discount · Σ_a' π(a') Q_target(s', a'). Only Q(s, a) has a gradient.

    π comes from the bootstrap. The head computes the loss; a distributional head compares return distributions.
    """

    def __init__(self, policy: DQNPolicy, bootstrap: Bootstrap, bonus: Bonus) -> None:
        self._policy, self._bootstrap, self._bonus = policy, bootstrap, bonus

    def __call__(self, batch: Batch, counters: Counters) -> TDErrors:
        policy = self._policy
        policy.set_training(True)
        obs, next_obs = policy.tensors(batch.obs), policy.tensors(batch.next_obs)
        action, reward, discount = (policy.tensor(array) for array in (batch.action, batch.reward, batch.discount))
        legal, next_legal = (self._legal(array) for array in (batch.obs, batch.next_obs))
        with torch.no_grad():
            target = policy.target(next_obs)
            allowed = restricted(target, next_legal)
            distribution = self._bootstrap(allowed, lambda: restricted(policy.online(next_obs), next_legal))
            bonus = self._bonus(lambda: restricted(policy.target(obs), legal), action, allowed, discount)
            reward = reward + bonus
        loss, priority = policy.online.head.loss(policy.online(obs), action, target, distribution, reward, discount)
        return TDErrors(
            loss=loss.detach().cpu().numpy(), priority=priority.cpu().numpy().astype(np.float64), update=loss
        )

    def _legal(self, obs: Shaped[np.ndarray, "B *obs"]) -> Bool[Tensor, "B A"] | None:
        legal = legal_actions(obs)
        return None if legal is None else self._policy.tensor(legal.copy())


class GradientStep:
    """Makes one step of a torch optimiser on the weighted mean of the losses.

    The gradients of all parameters are copied into vectors, as the parameters are (`plugins.dqn.weights`), and clipped
    there. The optimiser moves these vectors, if it was made for `policy.trainable()`, which is the quickest. It may
    have been made for the parameters instead.

    Args:
        max_norm: larger gradients are scaled down to this norm; 0: no limit.
        rate: returns the learning rate of the next step. Default: the optimiser's own.
    """

    def __init__(
        self,
        policy: DQNPolicy,
        optimizer: torch.optim.Optimizer,
        max_norm: float,
        rate: Callable[[], float] | None = None,
    ) -> None:
        self._policy, self._optimizer, self._max_norm, self._rate = policy, optimizer, max_norm, rate
        self._tensors = policy.online_tensors
        self._parameters = self._tensors.parameters
        vectors = self._tensors.vectors()
        moved = [tensor for group in optimizer.param_groups for tensor in group["params"]]
        self._moves_vectors = bool(moved) and all(any(one is vector for vector in vectors) for one in moved)
        self._gradients = [torch.zeros_like(vector) for vector in vectors]
        pieces: dict[int, Tensor] = {}
        for index, gradient in enumerate(self._gradients):
            pieces |= self._tensors.pieces(index, gradient)
        self._pieces = [pieces[place] for place in range(len(self._parameters))]
        self._norm: Tensor | None = None

    def apply(self, batch: Batch, errors: TDErrors) -> None:
        """Update the weights of the online network."""
        losses = cast(Tensor, errors.update)
        loss = (losses * self._policy.tensor(batch.weights)).mean()
        for parameter in self._parameters:
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        self._collect_gradients()
        if self._max_norm:
            self._clip_gradients()
        if self._rate is not None:
            for group in self._optimizer.param_groups:
                group["lr"] = self._rate()
        self._optimizer.step()

    def _collect_gradients(self) -> None:
        for parameter, piece in zip(self._parameters, self._pieces, strict=True):
            if parameter.grad is None:
                piece.zero_()
            else:
                piece.copy_(parameter.grad)
                parameter.grad = piece
        for vector, gradient in zip(self._tensors.vectors(), self._gradients, strict=True):
            vector.grad = gradient

    def _clip_gradients(self) -> None:
        """Do what `nn.utils.clip_grad_norm_` does, with fewer calls."""
        self._norm = norm = self._gradient_norm()
        if norm.device.type == "cpu" and float(norm) < self._max_norm - 1e-3:
            return  # the share would be 1; on a GPU, looking at the norm would wait for it
        share = (self._max_norm / (norm + 1e-6)).clamp(max=1)
        for gradient in self._gradients:
            gradient.mul_(share)

    def _gradient_norm(self) -> Tensor:
        norms = [torch.linalg.vector_norm(gradient) for gradient in self._gradients]
        return norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms))

    def measures(self) -> Mapping[str, float]:
        """Return the norm of the last gradient, before it was scaled down."""
        return {"gradient_norm": float(self._gradient_norm() if self._norm is None else self._norm)}

    def state_dict(self) -> State:
        """Return the optimiser's state of each parameter, also where the optimiser moves vectors."""
        state = self._optimizer.state_dict()["state"]
        if self._moves_vectors:
            state = self._split(state)
        return {
            str(index): {key: value.cpu().numpy().copy() for key, value in moments.items()}
            for index, moments in state.items()
        }

    def load_state_dict(self, state: State) -> None:
        moments = {
            int(index): {
                key: _in_layout_of(self._parameters[int(index)], torch.from_numpy(np.array(value)))
                for key, value in saved.items()
            }
            for index, saved in state.items()
        }
        if self._moves_vectors:
            moments = self._joined(moments)
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})

    def _split(self, state: Moments) -> Moments:
        """Turn the state of vectors into that of parameters. What is no moment, such as a step counter, is repeated."""
        split: Moments = {}
        for index, moments in state.items():
            vector = self._gradients[index]
            places = self._tensors.pieces(index, vector)
            for key, value in moments.items():
                is_moment = value.shape == vector.shape
                pieces = self._tensors.pieces(index, value) if is_moment else dict.fromkeys(places, value)
                for place, piece in pieces.items():
                    split.setdefault(place, {})[key] = piece
        return dict(sorted(split.items()))

    def _joined(self, state: Moments) -> Moments:
        """Undo `_split`."""
        joined: Moments = {}
        for index, gradient in enumerate(self._gradients):
            shapes = {place: piece.shape for place, piece in self._tensors.pieces(index, gradient).items()}
            saved = {place: state[place] for place in shapes if place in state}
            for key, first in next(iter(saved.values()), {}).items():
                value = first
                if all(moments[key].shape == shapes[place] for place, moments in saved.items()):
                    value = torch.zeros_like(gradient, dtype=first.dtype)
                    pieces = self._tensors.pieces(index, value)
                    for place, moments in saved.items():
                        pieces[place].copy_(moments[key])
                joined.setdefault(index, {})[key] = value
        return joined


def _in_layout_of(parameter: Tensor, saved: Tensor) -> Tensor:
    """Return a saved moment in its parameter's memory layout: the fused optimiser reads both in memory order."""
    if saved.shape != parameter.shape:
        return saved  # the optimiser's step counter
    return torch.empty_like(parameter, dtype=saved.dtype, requires_grad=False).copy_(saved)
