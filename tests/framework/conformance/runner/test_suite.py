"""The checks as tests in the pytest suite of a plugin's author."""

from __future__ import annotations

import shlex

import pytest

pytest_plugins = ["pytester"]

VARIANT = """
from framework.hooks import hookimpl

CHECK_WITH = "tabular,chain"

class Wrong:
    horizon = 2
    def fold(self, reward, terminated, truncated):
        n = reward.shape[1]
        return reward.sum(axis=1), 0.9 + 0 * reward[:, 0], n + 0 * terminated[:, 0].astype("int64")

@hookimpl
def make_returns():
    return Wrong()
"""
TEST = """
from framework.testing import parametrize_with_checks

@parametrize_with_checks("./mine.py"{more})
def test_conformance(check):
    check()
"""


def run(pytester: pytest.Pytester, more: str = "") -> pytest.RunResult:
    pytester.makepyfile(mine=VARIANT)
    pytester.makepyfile(test_mine=TEST.format(more=more))
    arguments = ("-k", "discount_is_gamma_to_the_length or assembles", "-p", "no:cacheprovider", "-q")
    return pytester.runpytest_subprocess(*arguments)


def test_one_line_runs_the_checks_and_shows_what_the_command_shows(pytester: pytest.Pytester) -> None:
    result = run(pytester)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*FAILED returns: discount_is_gamma_to_the_length*",
            "*who *mine, which fills make_returns*",
            "*again *python -m framework check ./mine.py,tabular,chain -k*",
        ]
    )


def test_the_command_that_repeats_a_failure_is_that_of_the_command_line(pytester: pytest.Pytester) -> None:
    (pytester.mkdir("my plugins") / "mine.py").write_text(VARIANT)
    more = ', beside="tabular,chain", assignments=["run.device=\'cpu\'"]'
    pytester.makepyfile(test_mine=TEST.format(more=more).replace("./mine.py", "./my plugins/mine.py"))
    result = pytester.runpytest_subprocess("-k", "discount_is_gamma_to_the_length", "-p", "no:cacheprovider", "-q")
    result.assert_outcomes(failed=1)
    # Where the variable CI is set, pytest repeats the whole message in its summary.
    (line,) = {line for line in result.stdout.lines if "  again  " in line}
    assert shlex.split(line)[5:] == [
        *("./my plugins/mine.py", "--with", "tabular,chain", "-k", "^discount_is_gamma_to_the_length$"),
        *("--set", "run.device='cpu'"),
    ]


def test_a_composition_that_is_left_out_is_a_test_that_is_skipped(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=TEST.format(more="").replace("./mine.py", "cartpole"))
    result = pytester.runpytest_subprocess("-k", "not_checked or assembles", "-p", "no:cacheprovider", "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*tabular needs finite observations*"])


def test_an_expected_failure_needs_a_reason(pytester: pytest.Pytester) -> None:
    known = ', expected_failures={"discount_is_gamma_to_the_length": "the discount is fixed by design"}'
    run(pytester, known).assert_outcomes(passed=1, xfailed=1)
    assert "give the reason why" in run(pytester, known.replace("the discount is fixed by design", " ")).stdout.str()
    assert "there is no check" in run(pytester, ', expected_failures={"disc": "x"}').stdout.str()


def test_an_expected_failure_that_passes_is_a_failure(pytester: pytest.Pytester) -> None:
    run(pytester, ', expected_failures={"assembles": "it never did"}').assert_outcomes(failed=2)


def test_the_fixtures_are_found_without_being_named(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_it(assembled, trained):
            assert type(assembled("tabular,chain").policy).__name__ == "QTable"
            assert trained("tabular,chain", {"run.steps": 30}).counters.env_steps == 30
        """
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
