"""Files of JSON rows: they are read back unchanged, and a kill loses at most the row that is being written."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import FrameworkError
from framework.recording.rows import NewRows, RowFile, read_rows, to_json

rows = st.lists(
    st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.floats() | st.text()), max_size=8
)


def nulled(row: dict[str, object]) -> dict[str, object]:
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@given(rows)
def test_rows_are_read_back(written: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.jsonl")
        file = RowFile(path)
        for row in written:
            file.write(row)
            json.loads(to_json(row), parse_constant=refuse)
        assert file.size == path.stat().st_size
        assert read_rows(path) == [nulled(row) for row in written]
        file.close()


@given(rows, st.data())
def test_a_kill_anywhere_loses_only_the_row_under_way(written: list[dict[str, object]], data: st.DataObject) -> None:
    whole = "".join(to_json(row) + "\n" for row in written).encode()
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    kept = [nulled(row) for row in written[: cut.count(b"\n")]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.jsonl")
        path.write_bytes(cut)
        assert read_rows(path) == kept
        file = RowFile(path)
        file.write({"next": 1})
        file.close()
        assert read_rows(path) == [*kept, {"next": 1}]


@pytest.mark.parametrize("damage", [b"{]\n", b"[1]\n", b"\n", b"\xff\xfe\n"])
def test_a_damaged_line_is_named(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n' + damage + b'{"a": 2}\n')
    with pytest.raises(FrameworkError, match=r"rows\.jsonl, line 2: damaged"):
        read_rows(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FrameworkError, match=r"rows\.jsonl: cannot be read: No such file"):
        read_rows(tmp_path / "rows.jsonl")


@given(st.data())
def test_new_rows_are_each_read_once_however_the_file_grows_and_is_cut(data: st.DataObject) -> None:
    """A model: whoever reads always knows the file's complete rows, also after a run has removed some and gone on."""
    with tempfile.TemporaryDirectory() as place:
        path, reader, known, count = Path(place) / "rows.jsonl", NewRows(Path(place) / "rows.jsonl"), [], 0
        for _ in range(data.draw(st.integers(1, 8))):
            content = path.read_bytes() if path.exists() else b""
            if data.draw(st.booleans(), "cut"):
                ends = [place + 1 for place, sign in enumerate(content) if sign == ord("\n")]
                content = content[: data.draw(st.sampled_from([0, *ends]))]
            for _ in range(data.draw(st.integers(0, 3))):
                count += 1
                content += json.dumps({"row": count, "more": "x" * data.draw(st.integers(0, 3))}).encode() + b"\n"
            path.write_bytes(content + data.draw(st.sampled_from([b"", b'{"row'])))
            rows, anew = reader.take()
            known = rows if anew else [*known, *rows]
            assert known == [json.loads(line) for line in content.splitlines()]
            path.write_bytes(content)
