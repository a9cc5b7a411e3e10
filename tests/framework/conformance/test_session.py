"""However badly a plugin behaves, there is a finding for each check, and the harness goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from framework.conformance import workers
from framework.conformance.report import to_json
from framework.conformance.running import Finding
from framework.conformance.session import Request, Session, plan
from framework.errors import UsageError

PLUGIN = """
import os, sys, time
from framework.conformance.checks import Cause, NotApplicable, check, expect
from framework.hookspecs import hookimpl

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


def session_of(tmp_path: Path, misbehaviour: str = "pass", body: str = "", **more: object) -> Session:
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN.format(misbehaviour=misbehaviour, body=body))
    wanted = {"pattern": "aaa_holds|misbehaves|zzz_does_not_apply|^assembles$", **more}
    session = plan(Request(str(path), **wanted))  # type: ignore[arg-type]
    session.run(lambda task, found: None)
    return session


def findings(session: Session) -> dict[str, Finding]:
    (group,) = session.findings.values()
    return {found.check: found for found in group}


@pytest.mark.parametrize(
    ("misbehaviour", "why"),
    [
        ("raise RuntimeError('no way')", "raised RuntimeError: no way (at mine.py:"),
        ("sys.exit(0)", "ended the process (exit code 0)"),
        ("os._exit(3)", "the composition ended the process (exit code 3)"),
        ("os.abort()", "the composition ended the process (signal 6)"),
        ("time.sleep(60)", "the composition did not come to an end within 4 seconds"),
        ("while True: pass", "the composition did not come to an end within 4 seconds"),
        ("x = [bytes([1]) * 2**26 for _ in range(20)]; time.sleep(9)", "the composition took more than 0.5 GB"),
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


def test_what_a_plugin_prints_is_no_answer(tmp_path: Path) -> None:
    noise = "print('{}'); os.write(1, b'{\"verdict\": 1}\\n'); sys.stdout.flush()"
    session = session_of(tmp_path, noise, body="print('hello')")
    assert session.passed and len(findings(session)) == 4


@pytest.mark.parametrize("crash", ["os._exit(4)", "time.sleep(60)"])
def test_a_plugin_that_cannot_even_be_loaded_is_a_finding(
    tmp_path: Path, crash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framework.conformance.session.PLAN_SECONDS", 2.0)
    session = session_of(tmp_path, body=crash)
    assert not session.passed
    assert findings(session)["assembles"].why.startswith("while it was being loaded, the composition ")


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
    assert f"--thorough --seed {session.seed}" in session.command(("chain",), "x")
    assert findings(session)["misbehaves"].verdict == "failed"
    given = session_of(tmp_path, "expect(subject.seed, 5, example='')", seed=5)
    assert given.passed


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"pattern": "misbehave["}, "no regular expression"),
        ({"pattern": "misbehavs"}, "Did you mean 'misbehaves'"),
        ({"components": ("bufer",)}, "Did you mean 'buffer'"),
        ({"values": {"chain.lenght": 3}}, "Did you mean 'length'"),
        ({"values": {"chain.length": 1}}, "chain.length = 1"),
        ({"values": {"nowhere.length": 5}}, "no loaded plugin has a section 'nowhere'"),
    ],
)
def test_wrong_choices_are_told(tmp_path: Path, more: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        session_of(tmp_path, **more)


def test_a_component_alone_can_be_chosen(tmp_path: Path) -> None:
    assert set(findings(session_of(tmp_path, components=("loop",)))) == {
        "aaa_holds",
        "misbehaves",
        "zzz_does_not_apply",
    }
