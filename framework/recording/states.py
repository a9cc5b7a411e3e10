"""A part's state in one safetensors file: written completely or not at all, verified when read, never a pickle."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from framework.errors import FrameworkError, UsageError
from framework.recording.files import replacing
from framework.types import State

METADATA_KEY = "state"
FIELDS = "fields of a structured array"
FORMAT = 1
LONGEST_HEADER = 1 << 24
"""The size of the largest header (names, shapes and JSON) that is read, in bytes."""


def save_state(path: Path, state: State) -> None:
    """Write a nested dict of numpy arrays and JSON scalars (or lists of them).

    Each array becomes a tensor. Its name is its keys, joined with "/"; inside a key, "/" becomes "~1" and "~" becomes
    "~0". A structured array becomes a tensor of bytes. Its fields, and the other values, are JSON in the metadata, with
    a checksum of everything.

    Raises:
        FrameworkError: if the file cannot be written or a value cannot be stored; the message names the file, and the
            key of such a value. An old file then stays unchanged.
    """
    arrays: dict[str, np.ndarray] = {}
    try:
        scalars = _split(state, "", arrays)
    except TypeError as error:
        raise FrameworkError(f"{path}: cannot store {error}") from error
    description = {"format": FORMAT, "checksum": _checksum(arrays, scalars), "scalars": scalars}
    with replacing(path) as temporary:
        try:
            save_file(arrays, temporary, metadata={METADATA_KEY: json.dumps(description)})
        except SafetensorError as error:
            raise FrameworkError(f"{path}: cannot be written: {error}") from error


def load_state(path: Path) -> dict[str, Any]:
    """Read a state that `save_state` wrote.

    Raises:
        UsageError: if the file is missing, damaged or not from `save_state`; the message names it.
    """
    try:
        with path.open("rb") as start:
            header = int.from_bytes(start.read(8), "little")
        if header > LONGEST_HEADER:
            raise UsageError(f"{path}: damaged or not safetensors: its header would have {header} bytes")
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
    except (OSError, SafetensorError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else f"damaged or not safetensors: {error}"
        raise UsageError(f"{path}: {reason}") from error
    if METADATA_KEY not in metadata:
        raise UsageError(f"{path}: a safetensors file, but not one that this framework wrote")
    try:
        description = json.loads(metadata[METADATA_KEY])
        version, checksum, scalars = (description[key] for key in ("format", "checksum", "scalars"))
        intact = bool(checksum == _checksum(arrays, scalars))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(f"{path}: damaged: {error!r} in its metadata") from error
    if version != FORMAT:
        raise UsageError(f"{path}: written in format {version}, and this version reads format {FORMAT}")
    if not intact:
        raise UsageError(f"{path}: damaged: its checksum does not match")
    return _join(scalars, arrays)


def _split(node: Mapping[str, Any], prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The tree without its arrays, which are added to `arrays` under their names."""
    rest: dict[str, Any] = {}
    for key, value in node.items():
        if not isinstance(key, str):
            raise TypeError(f"the key {key!r} in '{prefix}': keys must be strings")
        name = prefix + key.replace("~", "~0").replace("/", "~1")
        if isinstance(value, Mapping):
            rest[key] = _split(value, f"{name}/", arrays)
        elif isinstance(value, np.ndarray) and value.dtype.names:
            arrays[name] = _bytes_of(name, value)
            rest[key] = {FIELDS: [[field, *_field(value.dtype[field])] for field in value.dtype.names]}
        elif isinstance(value, np.ndarray):
            arrays[name] = _storable(name, value)
        else:
            _check_json(name, value)
            rest[key] = value
    return rest


def _storable(name: str, array: np.ndarray) -> np.ndarray:
    if name == "__metadata__":
        raise TypeError("an array named '__metadata__': the file format reserves that name")
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise TypeError(f"'{name}': an array of {array.dtype}; only numbers of up to 8 bytes and bool can be stored")
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _bytes_of(name: str, array: np.ndarray) -> np.ndarray:
    """A structured array as bytes, with one more axis."""
    for field in array.dtype.names or ():
        base = array.dtype[field].base
        if base.kind not in "biuf" or base.itemsize > 8 or base.newbyteorder("<") != base:
            raise TypeError(f"'{name}': a field '{field}' of {base}; only little-endian numbers of up to 8 bytes")
    return np.frombuffer(array.tobytes(), np.uint8).reshape(*array.shape, array.dtype.itemsize)


def _field(dtype: np.dtype[Any]) -> tuple[str, list[int]]:
    return dtype.base.str, list(dtype.shape)


def _check_json(name: str, value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _check_json(name, item)
    elif not (value is None or isinstance(value, bool | int | float | str)):
        raise TypeError(
            f"'{name}': a {type(value).__name__}; use a numpy array, a JSON scalar, a list of them or a dict"
        )


def _join(scalars: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    for name, array in arrays.items():
        *parents, last = (key.replace("~1", "/").replace("~0", "~") for key in name.split("/"))
        node = scalars
        for parent in parents:
            node = node[parent]
        if last in node:
            dtype = np.dtype([(field, base, tuple(shape)) for field, base, shape in node[last][FIELDS]])
            array = np.frombuffer(bytearray(array.tobytes()), dtype).reshape(array.shape[:-1])
        node[last] = array
    return scalars


def _checksum(arrays: Mapping[str, np.ndarray], scalars: Any) -> int:
    """A CRC-32 of the names, types, shapes and bytes of the arrays, and of the other values as JSON."""
    result = zlib.crc32(json.dumps(scalars).encode())
    for name in sorted(arrays):
        array = arrays[name]
        result = zlib.crc32(f"{name} {array.dtype.name} {array.shape}".encode(), result)
        result = zlib.crc32(array.reshape(-1).view(np.uint8).data, result)
    return result
