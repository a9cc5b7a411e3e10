"""The connection to a cluster: one clear message where there is none, and only what was started is stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

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


def free_ports(count: int) -> list[int]:
    """Ports at which nothing listens."""
    with ExitStack() as opened:
        probes = [opened.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


REFUSALS = """
import os
from framework.errors import UsageError
from framework.processes.cluster import connect
for address in {addresses!r}:
    try:
        with connect(address):
            raise AssertionError
    except UsageError as error:
        print(error)
print(os.environ.get("RAY_AUTH_MODE"))
"""


def test_an_address_where_nothing_answers_is_named_and_nothing_is_left_behind(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("ab" * 32)
    mine = {name: value for name, value in os.environ.items() if name != "RAY_AUTH_MODE"} | {"HOME": str(tmp_path)}
    (free_port,) = free_ports(1)
    addresses = [f"127.0.0.1:{free_port}", "nonsense", f"ray://127.0.0.1:{free_port}"]
    words = [sys.executable, "-c", REFUSALS.format(addresses=addresses)]
    done = subprocess.run(words, env=mine, check=True, capture_output=True, text=True, timeout=100)
    lines = done.stdout.splitlines()
    assert f"no Ray cluster answers at '127.0.0.1:{free_port}'" in lines[0]
    assert "ray start --head" in lines[0]
    assert "'nonsense' is no address of Ray: write HOST:PORT, ray://HOST:PORT or auto" in lines[1]
    assert f"no Ray cluster answers at 'ray://127.0.0.1:{free_port}'" in lines[2]
    assert lines[3] == "None", "a Ray that this process starts later decides by itself about tokens"


CLIENT = """
import os
from framework.processes.cluster import connect
with connect("ray://127.0.0.1:{port}"):
    import ray
    assert ray.util.client.ray.is_connected()
    print(ray.get(ray.remote(lambda: 6 * 7).remote()))
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("asks", [True, False])
def test_a_real_client_brings_its_token_to_a_cluster_that_asks_for_one(asks: bool, tmp_path: Path) -> None:
    pytest.importorskip("grpc", reason="pip install 'ray[client]'")
    ports = free_ports(2)
    ray = Path(sys.executable).with_name("ray")
    home, other = tmp_path / "home", tmp_path / "other"
    (home / ".ray").mkdir(parents=True)
    (home / ".ray" / "auth_token").write_text("ab" * 32)
    other.mkdir()
    mine = {**os.environ, "HOME": str(home), "RAY_USAGE_STATS_ENABLED": "0"}
    words = ["start", "--head", "--block", f"--port={ports[0]}", f"--ray-client-server-port={ports[1]}", "--num-cpus=1"]
    words += ["--include-dashboard=false", "--disable-usage-stats"]
    client = [sys.executable, "-c", CLIENT.format(port=ports[1])]

    def asked(home: Path) -> subprocess.CompletedProcess[str]:
        where = {**mine, "HOME": str(home)}
        return subprocess.run(client, env=where, capture_output=True, text=True, timeout=120, check=False)

    with subprocess.Popen([ray, *words], env={**mine, "RAY_AUTH_MODE": "token" if asks else "disabled"}) as head:
        try:
            wait_for_port(ports[1])
            found = asked(home)
            assert found.stdout == "42\n", found.stderr
            if asks:
                refused = asked(other)
                assert "UsageError: the Ray cluster at 'ray://127.0.0.1" in refused.stderr
                assert "put that of its head node (ray get-auth-token) into ~/.ray/auth_token" in refused.stderr
        finally:
            head.terminate()
            try:
                head.wait(30)
            except subprocess.TimeoutExpired:
                head.kill()


def wait_for_port(number: int) -> None:
    """Wait until something listens."""
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", number)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"nothing listens at port {number}")
