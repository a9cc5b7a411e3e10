"""What has changed between two runs."""

from __future__ import annotations

from framework.training.identity import differences


def test_differences_are_of_leaves() -> None:
    before = {"a": {"b": 1, "c": [1, 2]}, "d": {}, "e": None}
    now = {"a": {"b": 1, "c": [2, 1]}, "d": {"f": "x"}, "e": None}
    assert differences(before, now) == [
        "a.c: [1, 2] then, [2, 1] now",
        "d: {} then, (absent) now",
        'd.f: (absent) then, "x" now',
    ]
    assert differences(before, before) == []
