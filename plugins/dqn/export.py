"""A network as an ONNX file or as an archive of torch.export: observations of the environment → action values.

The file computes in float32 on one device, whatever the run computes in. Noisy layers have their mean weights and
`iqn` its even levels, because the network is in evaluation mode. A network may do only what torch can trace: it takes
sizes from `x.shape`, not from `len(x)`, and no decision depends on the numbers of an observation.
"""

from __future__ import annotations

import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from framework.errors import UsageError
from framework.exporting import METADATA, OUTPUT
from framework.exporting.runtime import onnx_runner, require_onnx
from framework.spaces import WHOLE
from framework.types import ExportedModel, ModelInput
from plugins.dqn.hookspecs import Output
from plugins.dqn.networks import Observation, QNetwork

EXAMPLES = 2
"""Rows of the batch with which the network is traced. torch takes a single row for a constant."""


class OfTheEnvironment(nn.Module):
    """Takes what the environment shows, one tensor for each input, and returns the network's action values, float32."""

    def __init__(self, network: QNetwork, inputs: Sequence[ModelInput]) -> None:
        super().__init__()
        self.network, self._inputs = network, tuple(inputs)
        self._whole = [given.name for given in inputs] == [WHOLE]
        self._starts = [torch.from_numpy(given.start.copy()) if given.start.any() else None for given in inputs]

    def forward(self, *shown: Shaped[Tensor, "B *leaf"]) -> Float[Tensor, "B A"]:
        leaves = {}
        for given, start, leaf in zip(self._inputs, self._starts, shown, strict=True):
            if given.channels_last:
                leaf = leaf.movedim(-1, -3)
            if start is not None:
                leaf = leaf - start
            leaves[given.name] = leaf.to(torch.float32) if leaf.dtype == torch.float64 else leaf
        obs = next(iter(leaves.values())) if self._whole else leaves
        return cast(Output, self.network(obs)).values.to(torch.float32)


def export_network(
    network: QNetwork,
    tensors: Callable[[Shaped[np.ndarray, "B *obs"]], Observation],
    suffix: str,
    inputs: Sequence[ModelInput],
    metadata: str,
) -> ExportedModel:
    """Export a network. See `framework.types.Exportable`.

    Args:
        network: which stays as it is.
        tensors: turns observations of the engine into what the network takes.

    Raises:
        UsageError: if a library is missing, or torch cannot trace or convert the network.
    """
    write = {".onnx": _onnx, ".pt2": _archive}[suffix]
    if suffix == ".onnx":
        require_onnx("onnxscript")
    network = in_full_precision(network)
    example = tuple(torch.from_numpy(np.stack([given.start] * EXAMPLES)) for given in inputs)
    with _float32(), _quiet():
        try:
            model, content = write(OfTheEnvironment(network, inputs).eval(), example, inputs, metadata)
        except Exception as error:  # torch raises many kinds, and so do the modules of strangers
            reason = " ".join(str(error).split("\n\n")[0].split())[:300]
            raise UsageError(
                f"the network cannot be exported as {suffix}: {type(error).__name__}: {reason}. docs/export.md says "
                "what a network may do"
            ) from error

    def reference(obs: Shaped[np.ndarray, "B *obs"]) -> Float[np.ndarray, "B A"]:
        given = tensors(obs)
        given = given.cpu() if isinstance(given, Tensor) else {name: leaf.cpu() for name, leaf in given.items()}
        with torch.inference_mode():
            return cast(Output, network(given)).values.numpy()

    return ExportedModel(content, model, reference)


def in_full_precision(network: QNetwork) -> QNetwork:
    """A copy of a network on the CPU, in evaluation mode, that computes in float32."""
    alone = copy.deepcopy(network).cpu().eval().requires_grad_(False)
    alone.computing = None
    for parameter in alone.parameters():
        parameter.data = parameter.data.to(torch.float32)
    return alone


Run = Callable[[Sequence[np.ndarray]], np.ndarray]


def _onnx(
    module: nn.Module, example: tuple[Tensor, ...], inputs: Sequence[ModelInput], metadata: str
) -> tuple[Run, bytes]:
    program: Any = torch.onnx.export(
        module,
        example,
        dynamo=True,
        input_names=[given.name for given in inputs],
        output_names=[OUTPUT],
        dynamic_shapes=(tuple({0: "batch"} for _ in inputs),),
        verbose=False,
    )
    program.model.metadata_props[METADATA] = metadata
    content: bytes = program.model_proto.SerializeToString()
    return onnx_runner(content, inputs), content


def _archive(
    module: nn.Module, example: tuple[Tensor, ...], inputs: Sequence[ModelInput], metadata: str
) -> tuple[Run, bytes]:
    batch = torch.export.Dim("batch", min=1)
    shapes = (tuple({0: batch} for _ in inputs),)
    with torch.no_grad():
        program = torch.export.export(module, example, dynamic_shapes=shapes, strict=False)
    file = io.BytesIO()
    torch.export.save(program, file, extra_files={f"{METADATA}.json": metadata})
    content = file.getvalue()
    loaded = torch.export.load(io.BytesIO(content)).module()

    def run(arrays: Sequence[np.ndarray]) -> np.ndarray:
        with torch.inference_mode():
            return cast(Tensor, loaded(*map(torch.from_numpy, arrays))).numpy()

    return run, content


@contextmanager
def _float32() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of torch's exporters, which concern libraries that are not needed and their own code."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
