"""A table as an ONNX file: the number of a state, as `framework.spaces.States` counts it, and a row of the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float64

from framework.errors import UsageError
from framework.exporting import METADATA, OUTPUT
from framework.exporting.runtime import onnx_runner, require_onnx
from framework.spaces import States
from framework.types import ExportedModel, ModelInput, Policy

MOST_BYTES = 2**31 - 2**20
"""An ONNX file holds at most 2 GiB."""

OPSET, IR_VERSION = 18, 10
"""Versions of ONNX's operators and of its file format."""


class Table(Policy, Protocol):
    """A policy whose states are numbered."""

    states: States


def export_table(
    policy: Table, table: Float64[np.ndarray, "S A"], suffix: str, inputs: Sequence[ModelInput], metadata: str
) -> ExportedModel:
    """Export a table of action values, as float32. See `framework.types.Exportable`.

    Raises:
        UsageError: for another format than ONNX, if the table is too large for it, or if a library is missing.
    """
    if suffix != ".onnx":
        raise UsageError(f"a table is exported as .onnx, and {suffix} is for networks: name the file policy.onnx")
    if table.size * 4 > MOST_BYTES:
        raise UsageError(f"a table of {len(table):,} states is larger than an ONNX file may be, which is 2 GiB")
    require_onnx()
    content = _graph(policy.states, table, inputs, metadata)
    return ExportedModel(
        content, onnx_runner(content, inputs), lambda obs: policy.action_values(obs, explore=False).astype(np.float32)
    )


def _graph(states: States, table: Float64[np.ndarray, "S A"], inputs: Sequence[ModelInput], metadata: str) -> bytes:
    """Σ over the elements of all inputs of (element − lowest − start) · stride is the row of the table."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = [numpy_helper.from_array(table.astype(np.float32), "table")]
    numbers = []

    def constant(name: str, values: Any) -> str:
        constants.append(numpy_helper.from_array(np.asarray(values, np.int64), name))
        return name

    def then(operator: str, *given: str, **attributes: Any) -> str:
        result = f"{operator}_{len(nodes)}"
        nodes.append(helper.make_node(operator, list(given), [result], **attributes))
        return result

    last = constant("axis", [1])
    for index, one in enumerate(inputs):
        low, strides = states.weights[one.name]
        start = np.moveaxis(one.start, -1, -3) if one.channels_last else one.start
        leaf = one.name
        if one.channels_last:
            axes = list(range(len(one.shape) + 1))
            leaf = then("Transpose", leaf, perm=[*axes[:-3], axes[-1], axes[-3], axes[-2]])
        elements = then("Reshape", then("Cast", leaf, to=TensorProto.INT64), constant(f"flat_{index}", [-1, len(low)]))
        digits = then("Sub", elements, constant(f"low_{index}", low + start.reshape(-1).astype(np.int64)))
        terms = then("Mul", digits, constant(f"strides_{index}", strides))
        numbers.append(then("ReduceSum", terms, last, keepdims=0))
    number = numbers[0]
    for other in numbers[1:]:
        number = then("Add", number, other)
    nodes.append(helper.make_node("Gather", ["table", number], [OUTPUT], axis=0))
    graph = helper.make_graph(
        nodes,
        "table",
        [
            helper.make_tensor_value_info(one.name, helper.np_dtype_to_tensor_dtype(one.dtype), ["batch", *one.shape])
            for one in inputs
        ],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", table.shape[1]])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    helper.set_model_props(model, {METADATA: metadata})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
