"""The state of all the parts of a run: saved, restored, compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from framework.assembly import Parts
from framework.types import State, Stateful

Snapshot = dict[str, State]
"""Part → what it saved."""


def stateful(parts: Parts) -> dict[str, Stateful]:
    """Every part that a checkpoint must hold but the environments, which the harness plays by a script."""
    return {name: part for name, part in parts.stateful().items() if name != "stream"}


def snapshot(parts: Parts) -> Snapshot:
    """What every part saves."""
    return {name: part.state_dict() for name, part in stateful(parts).items()}


def restore(parts: Parts, saved: Snapshot) -> None:
    """Load what was saved."""
    for name, part in stateful(parts).items():
        part.load_state_dict(saved[name])


def leaves(state: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of everything that is no mapping, in the order of the paths."""
    if isinstance(state, Mapping):
        for key in sorted(state, key=str):
            yield from leaves(state[key], f"{path}.{key}" if path else str(key))
    else:
        yield path, state


def digest(value: Any, ordered: bool = True) -> str:
    """A hash of a nested state: names, dtypes, shapes and bits.

    Args:
        ordered: false, where the order of an array's numbers does not matter.
    """
    found = hashlib.blake2b(digest_size=8)
    for path, leaf in leaves(value):
        array = np.asarray(leaf)
        array = array if ordered or array.dtype == object else np.sort(array, axis=None).reshape(array.shape)
        found.update(f"{path} {array.dtype} {array.shape} ".encode())
        found.update(repr(leaf).encode() if array.dtype == object else np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def digests(saved: Snapshot, ordered: bool = True) -> dict[str, str]:
    """Part → a hash of what it saved; see `digest`."""
    return {name: digest(state, ordered) for name, state in saved.items()}
