"""Evaluations: the environments share the episodes, and the same name gives the same episodes."""

from __future__ import annotations

from framework.assembly.assemble import assemble
from framework.training.evaluation import evaluate


def test_an_evaluation_plays_its_quota_on_every_environment() -> None:
    parts = assemble("tabular,chain", {"evaluation.num_envs": 3})
    result = evaluate(parts, name="a", episodes=7, epsilon=1.0)
    assert len(result.returns) == len(result.lengths) == 7
    assert 1 < result.distinct <= 7
    again = evaluate(parts, name="a", episodes=7, epsilon=1.0)
    assert (again.returns, again.lengths) == (result.returns, result.lengths)
    assert evaluate(parts, name="b", episodes=7, epsilon=1.0).lengths != result.lengths
