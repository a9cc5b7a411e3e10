"""The policy of DQN: the network that learns, and its target network."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from framework.errors import UsageError
from framework.seeding import Seeds
from framework.spaces import MASK, WHOLE
from framework.types import ExportedModel, ModelInput, State
from plugins.dqn.hookspecs import DistributionalHead, Output
from plugins.dqn.networks import Observation, QNetwork
from plugins.dqn.sources import load_sources, save_sources
from plugins.dqn.weights import NetworkTensors, as_arrays, follow, load_arrays


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
