"""The connection to a cluster: one clear message where there is none, and only what was started is stopped."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from framework.errors import UsageError
from framework.processes.cluster import connect


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"a cluster needs ray: pip install 'pluggable-q\[ray\]'"), connect(""):
        pass


SCRIPT = """
import os, signal, sys
from framework.processes.cluster import connect
before = signal.getsignal(signal.SIGTERM)
with connect("", cores=2):
    import ray
    assert ray.cluster_resources()["CPU"] == 2
    assert signal.getsignal(signal.SIGTERM) is before
    address = ray.get_runtime_context().gcs_address
    with connect("", cores=7):
        assert ray.cluster_resources()["CPU"] == 2
    assert ray.is_initialized()
    import subprocess
    inner = "from framework.processes.cluster import connect as c\\nimport ray\\n"
    inner += "with c(%r): print(ray.cluster_resources()['CPU'])"
    done = subprocess.run([sys.executable, "-c", inner % address], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "2.0", done
    assert ray.get(ray.remote(lambda: 5).remote()) == 5
    with connect(address), connect("auto"):
        pass
    from framework.errors import UsageError
    import socket
    with socket.create_server(("127.0.0.1", 0)) as other:
        try:
            with connect("127.0.0.1:%d" % other.getsockname()[1]):
                raise AssertionError
        except UsageError as error:
            assert "is connected to the Ray cluster at" in str(error), error
    assert ray.is_initialized()
assert not ray.is_initialized()
"""


@pytest.mark.slow
def test_a_connection_stops_only_what_it_started() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=100)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


REFUSALS = """
from framework.errors import UsageError
from framework.processes.cluster import connect
for address in {addresses!r}:
    try:
        with connect(address):
            raise AssertionError
    except UsageError as error:
        print(error)
"""


def test_an_address_where_nothing_answers_is_named(free_port: int) -> None:
    pytest.importorskip("ray")
    addresses = [f"127.0.0.1:{free_port}", "nonsense", f"ray://127.0.0.1:{free_port}"]
    words = [sys.executable, "-c", REFUSALS.format(addresses=addresses)]
    lines = subprocess.run(words, check=True, capture_output=True, text=True, timeout=100).stdout.splitlines()
    assert f"no Ray cluster answers at '127.0.0.1:{free_port}'" in lines[0]
    assert "ray start --head" in lines[0]
    assert "'nonsense' is no address of Ray: write HOST:PORT, ray://HOST:PORT or auto" in lines[1]
    assert f"no Ray cluster answers at 'ray://127.0.0.1:{free_port}'" in lines[2]
