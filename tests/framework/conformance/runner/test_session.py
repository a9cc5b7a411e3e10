"""A plugin that misbehaves: the harness reports a finding for each check, and continues."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from framework.conformance.runner import workers
from framework.conformance.runner.execution import Finding
from framework.conformance.runner.planning import plan
from framework.conformance.runner.report import to_json
from framework.conformance.runner.session import PATIENCE, Request, Session
from framework.errors import UsageError
from tests.waiting import gone, wait_for

PLUGIN = """
import os, sys, time
from framework.conformance.check import Cause, NotApplicable, check, expect
from framework.hooks import hookimpl

CHECK_WITH = "tabular,chain"

{body}

@check("loop", "make_returns", Cause("an oversight", "somebody/something#1"), seconds=5)
def aaa_holds(subject):
    \"\"\"What is true.\"\"\"

@check("loop", "make_returns", Cause("an oversight", "somebody/something#1"), seconds=4)
def misbehaves(subject):
    \"\"\"What is not so.\"\"\"
    {misbehaviour}

@check("loop", "make_returns")
def zzz_does_not_apply(subject):
    \"\"\"What is not spoken of.\"\"\"
    raise NotApplicable("nothing here")

@hookimpl
def conformance_checks():
    return [aaa_holds, misbehaves, zzz_does_not_apply]
"""


def plugin(tmp_path: Path, misbehaviour: str = "pass", body: str = "", name: str = "mine.py") -> Path:
    path = tmp_path / name
    path.write_text(PLUGIN.format(misbehaviour=misbehaviour, body=body))
    return path


def session_of(tmp_path: Path, misbehaviour: str = "pass", body: str = "", **more: object) -> Session:
    wanted = {"pattern": "aaa_holds|misbehaves|zzz_does_not_apply|^assembles$", **more}
    session = plan(Request(str(plugin(tmp_path, misbehaviour, body)), **wanted))  # type: ignore[arg-type]
    session.run(lambda task: None)
    return session


def findings(session: Session) -> dict[str, Finding]:
    (group,) = session.findings.values()
    return {found.check: found for found in group}


ESCAPE = "(os.setsid(), os.fork() and os._exit(0), time.sleep(15), os._exit(0))"
"""A child process starts a session of its own, starts a child there, and ends."""


@pytest.mark.parametrize(
    ("misbehaviour", "why"),
    [
        ("raise RuntimeError('no way')", "raised RuntimeError: no way (at mine.py:"),
        ("sys.exit(0)", "ended the process (exit code 0)"),
        ("os._exit(3)", "the composition ended the process (exit code 3)"),
        ("os.abort()", "the composition ended the process (signal 6)"),
        ("time.sleep(60)", "the composition did not end within 4 seconds"),
        ("while True: pass", "the composition did not end within 4 seconds"),
        ("x = [bytes([1]) * 2**26 for _ in range(20)]; time.sleep(9)", "the composition took more than 0.5 GB"),
        # children that keep their parent's end of the pipe open, and live longer than it
        ("os.fork() or time.sleep(30); os._exit(3)", "the composition ended the process (exit code 3)"),
        ("os.fork() or os.setsid() or time.sleep(30); time.sleep(60)", "did not end within 4 seconds"),
        (f"os.fork() or {ESCAPE}; time.sleep(60)", "did not end within 4 seconds"),
        ("x = os.fork() or [bytes([1]) * 2**26 for _ in range(20)]; time.sleep(9)", "took more than 0.5 GB"),
        ("os.closerange(0, 99); [time.sleep(0.1) for _ in range(600)]", "did not end within 4 seconds"),
    ],
)
def test_misbehaviour_is_a_finding_and_the_rest_goes_on(
    tmp_path: Path, misbehaviour: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "MEMORY", 2**29)
    session = session_of(tmp_path, misbehaviour)
    found = findings(session)
    assert why in found["misbehaves"].why
    verdicts = {name: each.verdict for name, each in found.items()}
    assert verdicts == {
        "assembles": "passed",
        "aaa_holds": "passed",
        "misbehaves": "failed",
        "zzz_does_not_apply": "not applicable",
    }
    assert not session.passed


def test_the_output_of_a_plugin_is_not_taken_for_a_result(tmp_path: Path) -> None:
    noise = "print('{}'); os.write(1, b'{\"verdict\": 1}\\n'); sys.stdout.flush()"
    session = session_of(tmp_path, noise, body="print('hello')")
    assert session.passed and len(findings(session)) == 4


@pytest.mark.parametrize("crash", ["os._exit(4)", "time.sleep(60)"])
def test_a_plugin_that_cannot_even_be_loaded_is_a_finding(
    tmp_path: Path, crash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framework.conformance.runner.planning.PLAN_SECONDS", 2.0)
    session = session_of(tmp_path, body=crash)
    assert not session.passed
    found = findings(session)["assembles"]
    assert found.why.startswith("while it was being loaded, the composition ")
    assert (found.owner, found.slot) == ("the composition", "")
    assert found.seconds > 0


def test_the_command_that_repeats_a_failed_load_names_its_plugins_and_options(tmp_path: Path) -> None:
    session = session_of(tmp_path, body="os._exit(4)", beside="tabular,grid", assignments=("grid.seed=4",))
    (group,) = session.findings
    words = shlex.split(session.again(group, "assembles"))
    path = str(tmp_path / "mine.py")
    assert words[4:] == [path, "--with", "tabular,grid", "-k", "^assembles$", "--set", "grid.seed=4"]
    assert "while it was being built, the composition ended the process" in findings(session)["assembles"].why


def test_the_death_of_one_composition_leaves_the_others(tmp_path: Path) -> None:
    body = """
CHECK_WITH = "chain"

@hookimpl
def env_wrapper(config):
    if any(section.section_name == "dqn" for section in config):
        os._exit(5)
"""
    session = session_of(tmp_path, body=body, components=("assembly",))
    verdicts = {names: [found.verdict for found in group] for names, group in session.findings.items()}
    path = str(tmp_path / "mine.py")
    assert verdicts == {("dqn", path, "chain"): ["failed"], ("tabular", path, "chain"): ["passed"]}
    assert f"dqn,{path},chain" in session.again(("dqn", path, "chain"), "assembles")


def test_what_cannot_be_built_fails_whatever_is_chosen(tmp_path: Path) -> None:
    body = "@hookimpl\ndef make_policy():\n    raise ValueError('never')"
    path = plugin(tmp_path, body=body)
    session = plan(Request(str(path), "tabular,chain", components=("seeds",)))
    session.run(lambda task: None)
    assert session.failed
    assert list(findings(session)) == ["assembles"]


def test_the_finding_of_a_lost_worker_leaves_out_the_checks_before(tmp_path: Path) -> None:
    noisy = plugin(tmp_path, "os._exit(3)")
    noisy.write_text(noisy.read_text().replace('What is true."""', 'What is true."""\n    print("of another check")'))
    session = plan(Request(str(noisy), pattern="aaa_holds|misbehaves"))
    session.run(lambda task: None)
    found = findings(session)["misbehaves"]
    assert found.why == "the composition ended the process (exit code 3)"
    assert list(found.causes) == [], "they are those of a wrong value"
    assert 0 < found.seconds < 4
    own = session_of(tmp_path, "print('its own last words'); os._exit(3)")
    assert findings(own)["misbehaves"].why.endswith("(exit code 3): its own last words")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_and_what_they_started_end_with_the_command(number: int, tmp_path: Path) -> None:
    hung = f"os.fork(); open({str(tmp_path)!r} + f'/pid-{{os.getpid()}}', 'w').close(); time.sleep(600)"
    words = ["-m", "framework", "check", str(plugin(tmp_path, hung)), "-k", "misbehaves", "--thorough"]
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: len(list(tmp_path.glob("pid-*"))) == 2 or process.poll() is not None)
    pids = [int(path.name.removeprefix("pid-")) for path in tmp_path.glob("pid-*")]
    assert len(pids) == 2 and process.poll() is None
    os.kill(process.pid, number)
    assert process.wait(60) == (130 if number == signal.SIGINT else -number)
    wait_for(lambda: gone(pids))


def test_checks_that_cannot_be_imported_are_a_finding_and_the_others_go_on(tmp_path: Path) -> None:
    path = plugin(tmp_path)
    path.write_text(path.read_text().replace("    return [aaa", "    from nowhere_checks import x\n    return [aaa"))
    session = plan(Request(str(path), pattern="mine_brings|^discount_is_gamma"))
    session.run(lambda task: None)
    found = findings(session)
    assert {name: each.verdict for name, each in found.items()} == {
        "mine_brings_its_checks": "failed",
        "discount_is_gamma_to_the_length": "passed",
    }
    why = found["mine_brings_its_checks"].why
    assert "plugin 'mine' raised in conformance_checks: ModuleNotFoundError: No module named 'nowhere_checks'" in why
    assert "(at mine.py:" in why


def test_checks_that_cannot_be_imported_fail_whatever_was_chosen(tmp_path: Path) -> None:
    """The checks that were asked for may be among them."""
    path = plugin(tmp_path)
    path.write_text(path.read_text().replace("    return [aaa", "    from nowhere_checks import x\n    return [aaa"))
    for request in (
        Request(str(path), components=("loss",), pattern="^a_loss_changes_nothing$"),
        Request(str(path), pattern="^no_such_check$"),
    ):
        session = plan(request)
        session.run(lambda task: None)
        assert findings(session)["mine_brings_its_checks"].verdict == "failed"
        assert session.failed


def test_checks_beside_a_plugin_are_found_where_the_command_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = plugin(tmp_path)
    hook = "    from beside_checks import holds\n    return [holds]\n"
    path.write_text(path.read_text().replace("    return [aaa_holds, misbehaves, zzz_does_not_apply]", hook))
    (tmp_path / "beside_checks.py").write_text(
        "from framework.conformance.check import check\n"
        "@check('loop', 'make_returns')\ndef holds(subject):\n    'What is true.'\n"
    )
    monkeypatch.chdir(tmp_path)
    session = plan(Request("./mine.py", pattern="^holds$|brings"))
    session.run(lambda task: None)
    assert {name: found.verdict for name, found in findings(session).items()} == {"holds": "passed"}


def test_what_cannot_be_built_is_not_checked_any_further(tmp_path: Path) -> None:
    body = "@hookimpl\ndef make_returns():\n    raise ValueError('never')"
    found = findings(session_of(tmp_path, body=body))
    assert list(found) == ["assembles"]
    assert "plugin 'mine' raised in make_returns: ValueError: never" in found["assembles"].why


def test_a_violation_shows_its_case_and_how_to_see_it_again(tmp_path: Path) -> None:
    session = session_of(tmp_path, "expect([1.0, 2.0], [1.0, 3.0], example={'n': 2})")
    (report,) = json.loads(to_json(session))["compositions"]
    (found,) = [each for each in report["findings"] if each["verdict"] == "failed"]
    assert (found["example"], found["expected"], found["got"]) == ("n = 2", "[1., 3.]", "[1., 2.]")
    assert found["causes"] == [["an oversight", "somebody/something#1"]]
    assert found["again"].endswith("mine.py,tabular,chain -k '^misbehaves$'")
    assert found["says"] == "What is not so."
    assert found["owner"] == "engine"


def test_thorough_draws_a_seed_and_names_it(tmp_path: Path) -> None:
    session = session_of(tmp_path, "expect(subject.thorough, False, example='')", thorough=True)
    assert f"--thorough --seed {session.seed}" in session.again(("chain",), "x")
    assert findings(session)["misbehaves"].verdict == "failed"
    given = session_of(tmp_path, "expect(subject.seed, 5, example='')", seed=5)
    assert given.passed
    zero = session_of(tmp_path, thorough=True, seed=0)
    assert zero.again(("chain",), "x").endswith("--thorough --seed 0")


def test_options_are_repeated_as_they_were_typed(tmp_path: Path) -> None:
    assignments = ("run.until=none", "run.device='cpu'", "chain.length = 7", "returns.gamma=1e-1")
    session = session_of(tmp_path, "expect(subject.values['run.until'], None, example='')", assignments=assignments)
    assert session.passed
    words = shlex.split(session.again(("tabular", "chain"), "x"))
    assert [word for before, word in pairwise(words) if before == "--set"] == list(assignments)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"pattern": "misbehave["}, "not a regular expression"),
        ({"pattern": "misbehavs"}, "Did you mean 'misbehaves'"),
        ({"components": ("bufer",)}, "Did you mean 'buffer'"),
        ({"assignments": ("chain.lenght=3",)}, "Did you mean 'length'"),
        ({"assignments": ("chain.length=1",)}, "chain.length = 1"),
        ({"assignments": ("chain.length=1979-05-27",)}, "chain.length = datetime.date"),
        ({"assignments": ("chain.length",)}, "write it as --set section.key=value"),
        ({"assignments": ("nowhere.length=5",)}, "no loaded plugin has a section 'nowhere'"),
    ],
)
def test_wrong_choices_are_refused(tmp_path: Path, more: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        session_of(tmp_path, **more)


def test_a_component_alone_can_be_chosen(tmp_path: Path) -> None:
    assert set(findings(session_of(tmp_path, components=("loop",)))) == {
        "aaa_holds",
        "misbehaves",
        "zzz_does_not_apply",
    }


STUCK = """
class Stuck:
    horizon = 1
    def fold(self, reward, terminated, truncated):
        return self.wait()
    def wait(self):
        {how}

@hookimpl
def make_returns():
    return Stuck()
"""


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("time.sleep(600)", "the composition did not end within "),
        (
            "__import__('ctypes').string_at(0)",
            "the composition ended the process (signal 11): Fatal Python error: Segmentation",
        ),
    ],
)
def test_a_lost_worker_names_its_place_and_after_a_few_the_rest_is_skipped(
    tmp_path: Path, how: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "_limit", lambda session, task: 2.0)
    session = session_of(tmp_path, body=STUCK.format(how=how), pattern="", components=("returns",), jobs=1)
    lost = [found for found in findings(session).values() if found.verdict == "failed"]
    assert len(lost) == PATIENCE
    lines = (tmp_path / "mine.py").read_text().splitlines()
    place = f"; it was at {tmp_path}/mine.py:{lines.index(f'        {how}') + 1}, in wait"
    for found in lost:
        assert found.why.startswith(why)
        assert found.why.endswith(place)
    assert session.waiting and session.gave_up(next(iter(session.findings)))


def test_the_first_failure_ends_it_where_that_is_wanted(tmp_path: Path) -> None:
    names = {"pattern": "misbehaves|zzz_does_not_apply", "jobs": 1}
    both = session_of(tmp_path, "expect(1, 2, example='')", **names)
    first = session_of(tmp_path, "expect(1, 2, example='')", exit_first=True, **names)
    assert (len(both.waiting), len(first.waiting)) == (0, 1)
    assert list(findings(first)) == ["misbehaves"]


def test_what_was_found_before_ctrl_c_is_reported(tmp_path: Path) -> None:
    hung = f"open({str(tmp_path / 'hung')!r}, 'w').close(); time.sleep(600)"
    words = ["-m", "framework", "check", str(plugin(tmp_path, hung)), "-k", "aaa|misbehaves|zzz", "--jobs", "1"]
    with subprocess.Popen(
        [sys.executable, *words, "--thorough"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        wait_for(lambda: (tmp_path / "hung").exists() or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "aaa_holds" in printed and "FAILED" not in printed
    assert printed.splitlines()[-1].startswith(f"{tmp_path / 'mine.py'},tabular,chain: 1 passed, 2 not run, ")


def test_a_composition_that_was_not_reached_is_reported(tmp_path: Path) -> None:
    session = plan(Request("nstep", pattern="discount_is_gamma", jobs=1))
    first, second = session.tasks
    first.finding = Finding(**first.failed, seconds=0.1)
    session.close()
    report = json.loads(to_json(session))["compositions"]
    assert [each["not_run"] for each in report] == [[], ["discount_is_gamma_to_the_length"]]
    assert second.finding is None
