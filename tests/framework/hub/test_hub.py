"""A run that was pushed to a hub and pulled again is the same run, and nothing else ever arrives."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import framework
from framework.assembly.assemble import assemble
from framework.checkpoints.manifest import Entry
from framework.errors import FrameworkError, UsageError
from framework.hub import contents, pull, push
from framework.recording.rows import read_rows
from framework.training.resume import resume
from tests.stand_ins.hub import Hub

pytest.importorskip("huggingface_hub")
pytestmark = pytest.mark.usefixtures("no_figures")

TOKEN = "hf_secret"
NAME = "me/chain"
PLUGIN = "from envs.chain import make_env\n\nCHECK_WITH = 'tabular'\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with evaluations, best weights and a checkpoint."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    values = {"run.episodes": 120, "evaluation.every": 100, "evaluation.episodes": 3, "checkpoint.every": 200}
    framework.train(assemble("tabular,chain", values), folder)
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub for a user with a token."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    server = Hub()
    server.token = TOKEN
    yield server
    server.close()


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_a_run_comes_back_as_it_was(run: Path, hub: Hub, tmp_path: Path) -> None:
    sent = push(run, NAME, endpoint=hub.address)
    got = pull(NAME, tmp_path / "mine", endpoint=hub.address)

    there, here = content(run), content(got.folder)
    assert set(here) == {name for name in there if not name.startswith("checkpoints/")} | {"files.json", "README.md"}
    assert all(there[name] == here[name] for name in sent.files)
    assert got.bytes == sent.bytes == sum(len(there[name]) for name in sent.files)
    assert got.plugins == ["tabular", "chain"]
    agents = [framework.load(folder) for folder in (run, got.folder)]
    observations = np.arange(5)
    values = [agent.policy.action_values(observations, explore=False) for agent in agents]
    np.testing.assert_array_equal(*values)


def test_with_its_checkpoints_the_run_goes_on(run: Path, hub: Hub, tmp_path: Path) -> None:
    push(run, NAME, checkpoints=True, endpoint=hub.address)
    got = pull(NAME, tmp_path / "mine", endpoint=hub.address)
    original = tmp_path / "original"
    original.mkdir()
    for name, data in content(run).items():
        (original / name).parent.mkdir(parents=True, exist_ok=True)
        (original / name).write_bytes(data)

    for folder in (original, got.folder):
        resume(folder, {"run.episodes": 150})

    numbers = [
        [
            {key: value for key, value in row.items() if "second" not in key}
            for row in read_rows(folder / "metrics.jsonl")
        ]
        for folder in (original, got.folder)
    ]
    assert numbers[0] == numbers[1]
    assert sum(row["kind"] == "episode" for row in numbers[0]) == 150


def test_code_does_not_travel(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from envs.chain import *\nfrom envs import chain\nmake_env = chain.make_env\n")
    plugin = str(tmp_path / "mine.py")
    framework.train(assemble(f"tabular,{plugin}", {"run.episodes": 5}), tmp_path / "run")
    assert (tmp_path / "run" / "plugins" / "mine.py").is_file()

    sent = push(tmp_path / "run", NAME, endpoint=hub.address)

    assert "plugins/mine.py" in sent.left_behind
    assert not [name for name in hub.files(NAME) if name.endswith(".py")]
    assert pull(NAME, tmp_path / "got", endpoint=hub.address).code == [plugin]


def test_the_card_has_the_score_and_the_commands(run: Path, hub: Hub) -> None:
    from huggingface_hub import ModelCard

    push(run, NAME, endpoint=hub.address)

    card = ModelCard(hub.files(NAME)["README.md"].decode())
    best = json.loads((run / "best" / "evaluation.json").read_text())
    (result,) = card.data.eval_results
    assert result.metric_value.startswith(f"{best['value']:.2f} +/- ")
    assert card.data.library_name == "pluggable-q"
    assert f"python -m framework pull {NAME}" in card.text
    assert f"after {best['env_steps']:,} environment steps" in card.text


def test_a_second_push_replaces_the_first_and_keeps_what_people_wrote(run: Path, hub: Hub) -> None:
    push(run, NAME, checkpoints=True, endpoint=hub.address)
    hub.commit(NAME, {**hub.files(NAME), "notes.md": b"mine"})

    assert not push(run, NAME, message="again", endpoint=hub.address).card_kept
    assert "notes.md" in hub.files(NAME)
    assert not [name for name in hub.files(NAME) if name.startswith("checkpoints/")]
    assert hub.messages == ["The run first", "again"]

    hub.commit(NAME, {**hub.files(NAME), "README.md": b"my own words"})
    assert push(run, NAME, endpoint=hub.address).card_kept
    assert hub.files(NAME)["README.md"] == b"my own words"


@pytest.mark.parametrize("changes", [1, 100])
def test_a_run_that_goes_on_is_pushed_as_it_was_at_one_moment(
    run: Path, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: int
) -> None:
    mine = Path(shutil.copytree(run, tmp_path / "mine"))
    copied, left = shutil.copyfile, [changes]

    def and_the_run_writes_a_checkpoint(source: Path, to: Path) -> None:
        copied(source, to)
        if source.name == "LATEST" and left[0]:
            left[0] -= 1
            old, digest = source.read_text().split()
            new = f"{int(old) + 1:06}"
            (source.parent / old).rename(source.parent / new)
            (source.parent / "new").write_text(f"{new} {digest}\n")
            (source.parent / "new").replace(source)

    monkeypatch.setattr("framework.hub.send.shutil.copyfile", and_the_run_writes_a_checkpoint)
    if changes > 5:
        with pytest.raises(UsageError, match="changes while it is copied"):
            push(mine, NAME, checkpoints=True, endpoint=hub.address)
        assert NAME not in hub.repositories, "nothing was created on the hub"
        return
    push(mine, NAME, checkpoints=True, endpoint=hub.address)
    files = hub.files(NAME)
    sent = {name.removeprefix("checkpoints/"): data for name, data in files.items() if name.startswith("checkpoints/")}
    assert sent == content(mine / "checkpoints")
    assert sent["LATEST"].decode().split()[0] in {name.partition("/")[0] for name in sent}


def test_links_do_not_travel(run: Path, hub: Hub, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(run, tmp_path / "mine"))
    (tmp_path / "secret").write_text("secret")
    (mine / "secret.png").symlink_to(tmp_path / "secret")
    assert "secret.png" in push(mine, NAME, endpoint=hub.address).left_behind
    assert "secret.png" not in hub.files(NAME)


def test_a_name_without_a_user_is_that_of_the_token(run: Path, hub: Hub) -> None:
    sent = push(run, "chain", endpoint=hub.address)
    assert sent.repository == "me/chain"
    assert "last.safetensors" in hub.files("me/chain")


def test_only_files_of_the_list_arrive(run: Path, hub: Hub, tmp_path: Path) -> None:
    push(run, NAME, endpoint=hub.address)
    hub.commit(NAME, {**hub.files(NAME), "evil.py": b"boom", "last.pt": b"pickle", "plugins/chain.py": b"boom"})

    got = pull(NAME, tmp_path / "got", endpoint=hub.address)

    assert not {"evil.py", "last.pt", "plugins/chain.py"} & set(content(got.folder))


def changed(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1]) if data else b"x"


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "a bit": changed,
    "cut": lambda data: data[: len(data) // 2],
    "longer": lambda data: data + b"\n",
    "empty": lambda data: b"",
}


@pytest.mark.parametrize(
    ("name", "how"),
    [
        *[("config.toml", how) for how in DAMAGE],
        *[(name, "a bit") for name in ("metrics.jsonl", "best/evaluation.safetensors", "manifest.json")],
    ],
)
def test_damage_is_refused_and_nothing_is_kept(run: Path, hub: Hub, tmp_path: Path, name: str, how: str) -> None:
    push(run, NAME, endpoint=hub.address)
    files = hub.files(NAME)
    hub.commit(NAME, {**files, name: DAMAGE[how](files[name])})

    with pytest.raises(UsageError, match=name.replace(".", r"\.")):
        pull(NAME, tmp_path / "got", endpoint=hub.address)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["config.toml", "best/evaluation.safetensors", "files.json"])
def test_a_missing_file_is_named(run: Path, hub: Hub, tmp_path: Path, name: str) -> None:
    push(run, NAME, endpoint=hub.address)
    files = dict(hub.files(NAME))
    del files[name]
    hub.commit(NAME, files)

    with pytest.raises(UsageError, match=name.replace(".", r"\.")):
        pull(NAME, tmp_path / "got", endpoint=hub.address)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["../evil.png", "/etc/passwd", "plugins/x.py", "best/../../x.png", "checkpoints/LATEST/../x", ".git/config"]
)
def test_a_list_with_other_names_is_refused(run: Path, hub: Hub, tmp_path: Path, name: str) -> None:
    push(run, NAME, endpoint=hub.address)
    listed = json.loads(hub.files(NAME)["files.json"])
    listed["files"][name] = {"size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    hub.commit(NAME, {**hub.files(NAME), name: b"x", "files.json": json.dumps(listed).encode()})

    with pytest.raises(UsageError, match="no file that a run shares"):
        pull(NAME, tmp_path / "got", endpoint=hub.address)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"files": 3}', b'{"files": {"config.toml": 1}}', b"[" * 100_000])
def test_a_list_that_is_none_is_refused(run: Path, hub: Hub, tmp_path: Path, text: bytes) -> None:
    push(run, NAME, endpoint=hub.address)
    hub.commit(NAME, {**hub.files(NAME), "files.json": text})

    with pytest.raises(UsageError, match=r"files\.json"):
        pull(NAME, tmp_path / "got", endpoint=hub.address)
    assert not list(tmp_path.iterdir())


def test_weights_that_are_none_are_refused_though_the_list_knows_them(run: Path, hub: Hub, tmp_path: Path) -> None:
    push(run, NAME, endpoint=hub.address)
    files, data = hub.files(NAME), b"\x80\x04pickle"
    listed = json.loads(files["files.json"])
    listed["files"]["last.safetensors"] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    hub.commit(NAME, {**files, "last.safetensors": data, "files.json": json.dumps(listed).encode()})

    with pytest.raises(UsageError, match=r"last\.safetensors"):
        pull(NAME, tmp_path / "got", endpoint=hub.address)


def test_a_push_meanwhile_does_not_mix_two_runs(
    run: Path, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(run, NAME, endpoint=hub.address)
    before = dict(hub.files(NAME))

    def and_somebody_pushes(path: Path) -> dict[str, Entry]:
        hub.commit(NAME, dict.fromkeys(before, b"another run"))
        return contents.read_list(path)

    monkeypatch.setattr("framework.hub.fetch.read_list", and_somebody_pushes)
    got = pull(NAME, tmp_path / "got", endpoint=hub.address)

    assert all(before[name] == data for name, data in content(got.folder).items())


def test_an_older_commit_can_be_had(run: Path, hub: Hub, tmp_path: Path) -> None:
    push(run, NAME, endpoint=hub.address)
    first = pull(NAME, tmp_path / "first", endpoint=hub.address)
    hub.commit(NAME, {"files.json": b""})

    again = pull(NAME, tmp_path / "again", revision=first.commit, endpoint=hub.address)

    assert again.commit == first.commit
    assert content(first.folder) == content(again.folder)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("taken", "exists already"),
        ("name", "no name of a repository"),
        ("unknown", "has no repository 'me/nobody'"),
        ("revision", "no such revision"),
        ("token", "hf auth login"),
        ("no run", "not a run folder"),
    ],
)
def test_refusals_say_what_to_do(
    run: Path, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, message: str
) -> None:
    push(run, NAME, endpoint=hub.address)
    to = tmp_path / "got"
    name, revision = {"name": "a/b/c", "unknown": "me/nobody"}.get(what, NAME), "v9" if what == "revision" else None
    if what == "taken":
        to.mkdir()
        (to / "mine.txt").write_text("precious")
    if what == "token":
        monkeypatch.setenv("HF_TOKEN", "hf_wrong")

    call = push if what == "no run" else partial(pull, revision=revision)
    given = (tmp_path, NAME) if what == "no run" else (name, to)
    with pytest.raises(UsageError, match=message):
        call(*given, endpoint=hub.address)
    assert what != "taken" or (to / "mine.txt").read_text() == "precious"


def test_a_hub_that_does_not_answer_is_named(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    for call in (
        lambda: push(run, NAME, endpoint="http://127.0.0.1:9"),
        lambda: pull(NAME, tmp_path / "a", endpoint="http://127.0.0.1:9"),
    ):
        with pytest.raises(FrameworkError, match="cannot be reached"):
            call()
    assert not list(tmp_path.iterdir())


def test_the_commands(run: Path, hub: Hub, tmp_path: Path) -> None:
    environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

    def command(*words: str) -> str:
        line = [sys.executable, "-m", "framework", *words]
        done = subprocess.run(line, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout

    pushed = command("push", str(run), NAME, "--private")
    assert f"{hub.address}/{NAME}" in pushed
    assert hub.private[NAME]
    pulled = command("pull", NAME)
    assert "next     python -m framework evaluate runs/chain" in pulled
    results = [json.loads(command("evaluate", folder, "--json")) for folder in ("runs/chain", str(run))]
    assert results[0]["returns"] == results[1]["returns"]
