"""Numbers from an environment's `info`. Those that were asked for cross the edge; everything else stays outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from framework.errors import UsageError
from framework.options import SUCCESS, SUM
from framework.types import Role

Wanted = Mapping[str, bool]
"""A key of `info` → whether a value that is no number is an error. If it is not, such a value is left out."""

NOTHING: Wanted = {}

KEYS = "keys of info"
"""Under this key, the edge sends the names of all keys, one in each line, if an episode ends without a wanted one."""


def wanted_keys(metrics: Sequence[str], role: Role) -> Wanted:
    """The keys that environments of a role must send.

    Args:
        metrics: the option record.info: keys, some with the prefix `SUM`.
    """
    if role == "watch":
        return {}
    asked = {metric.removeprefix(SUM): True for metric in metrics}
    return asked if role == "train" else {SUCCESS: False, **asked}


def crossing(info: Any, wanted: Wanted, ended: bool) -> dict[str, Any]:
    """What an environment's `info` of a step becomes at the edge: name → float, and sometimes `KEYS`.

    Args:
        ended: whether the step ended its episode.

    Raises:
        UsageError: if a value that was asked for is no number.
    """
    if not wanted or not isinstance(info, Mapping):
        return {}
    numbers = {name: _number(name, info[name], strict) for name, strict in wanted.items() if name in info}
    found: dict[str, Any] = {name: number for name, number in numbers.items() if number is not None}
    if ended and any(strict and name not in info for name, strict in wanted.items()):
        found[KEYS] = "\n".join(map(str, info))
    return found


class InfoReader:
    """Reads the wanted numbers from the `info` of a vector environment, with gymnasium's masks `_key`."""

    def __init__(self, wanted: Wanted, same_step: bool) -> None:
        """
        Args:
            same_step: whether ended episodes have their `info` in gymnasium's `final_info`.
        """
        self._wanted, self._same_step = wanted, same_step
        self.keys: set[str] = set()
        """Every key that the environments gave when an episode ended."""

    def read(
        self, info: Mapping[str, Any], ended: Bool[np.ndarray, " N"], rows: Int64[np.ndarray, " M"]
    ) -> dict[str, Float64[np.ndarray, " M"]]:
        """Each wanted key → its numbers in these rows, NaN where an environment gave none.

        Raises:
            UsageError: if a value that was asked for is no number.
        """
        if not self._wanted:
            return {}
        final = info.get("final_info", {}) if self._same_step else {}
        if ended.any():
            self.keys |= _keys(info) | _keys(final)
        found = {}
        for name, strict in self._wanted.items():
            numbers = _column(info, name, strict, len(ended))
            if self._same_step:
                numbers[ended] = _column(final, name, strict, len(ended))[ended]
            found[name] = numbers[rows]
        return found


def _column(info: Any, name: str, strict: bool, count: int) -> Float64[np.ndarray, " N"]:
    column = np.full(count, np.nan)
    if not isinstance(info, Mapping) or name not in info:
        return column
    values = _as_array(info[name])
    if values.shape != (count,):
        if strict:
            raise UsageError(
                f"record.info names {name!r}, and the vector environment's info has {_shown(info[name])} there instead "
                f"of one number for each of {count} environments: take it out of record.info"
            )
        return column
    for env_id in np.flatnonzero(info.get(f"_{name}", np.ones(count, np.bool_))):
        number = _number(name, values[env_id], strict)
        column[env_id] = np.nan if number is None else number
    return column


def _number(name: str, value: Any, strict: bool) -> float | None:
    array = _as_array(value)
    if array.shape == () and array.dtype.kind in "biuf":
        return float(array)
    if strict:
        raise UsageError(
            f"record.info names {name!r}, and the environment's info has {_shown(value)} there, which is no number: "
            "take it out of record.info"
        )
    return None


def _as_array(value: Any) -> Shaped[np.ndarray, "..."]:
    try:
        return np.asarray(value)
    except (TypeError, ValueError):  # ragged lists, tensors of another device
        return np.asarray(None)


def _shown(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"{'None' if value is None else type(value).__name__}{'' if not shape else f' of shape {tuple(shape)}'}"


def _keys(info: Any) -> set[str]:
    if not isinstance(info, Mapping):
        return set()
    sent = [text.split("\n") for text in info.get(KEYS, ()) if text]
    own = {str(key) for key in info} - {KEYS, "final_obs", "final_info"}
    return {key for key in own if not key.startswith("_")} | {name for names in sent for name in names}
