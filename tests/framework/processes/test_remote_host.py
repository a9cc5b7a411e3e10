"""What runs on a machine of a cluster, here without a cluster: a process, and files that are sent and received."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from framework.processes.remote_host import Host, files_of, link, read, write


def test_a_process_and_its_signals(tmp_path: Path) -> None:
    host = Host()
    host.start(["python", "-c", "import time; time.sleep(600)"], str(tmp_path / "out.txt"), "/no/such/folder")
    host.signal(signal.SIGKILL)
    assert host.wait() == -signal.SIGKILL


def test_a_signal_before_the_start_means_that_nothing_starts(tmp_path: Path) -> None:
    host = Host()
    host.signal(signal.SIGINT)
    host.start([sys.executable, "-c", "pass"], str(tmp_path / "out.txt"), str(tmp_path))
    assert host.wait() == -signal.SIGINT
    assert not (tmp_path / "out.txt").exists()


def test_only_a_folder_with_the_same_file_is_shared(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("mine")
    assert Host().sees(str(tmp_path / "token"), "mine")
    assert not Host().sees(str(tmp_path / "token"), "another")
    assert not Host().sees(str(tmp_path / "nothing"), "mine")


@given(st.dictionaries(st.sampled_from(["a", "b/c", "b/d/e"]), st.binary(max_size=40)), st.booleans())
def test_a_folder_arrives_as_it_was_and_shared_data_stays_shared(files: dict[str, bytes], linked: bool) -> None:
    with tempfile.TemporaryDirectory() as place:
        here, there = Path(place, "here"), Path(place, "there")
        for name, data in files.items():
            write(here / name, data)
        write(here / ".lock", b"")
        if linked and "a" in files:
            link(here / "z", here / "a")
        for name, same in files_of(here):
            if same != name:
                link(there / name, there / same)
                continue
            write(there / name, b"")
            offset = 0
            while chunk := read(here / name, offset):
                write(there / name, chunk)
                offset += len(chunk)
        arrived = {str(path.relative_to(there)): path.read_bytes() for path in there.rglob("*") if path.is_file()}
        assert arrived == files | ({"z": files["a"]} if linked and "a" in files else {})
        if "z" in arrived:
            assert os.path.samefile(there / "z", there / "a")
