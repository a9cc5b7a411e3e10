"""TensorBoard's histograms hold every finite number of an array once, and a run writes them for its evaluations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import framework
from framework.assembly.assemble import assemble
from framework.recording.events import EventFile
from tests.framework.recording.test_metrics import events

FLOATS = st.floats(-(2.0**100), 2.0**100, width=32)


@given(arrays.arrays(np.float32, st.integers(1, 40), elements=FLOATS | st.just(np.nan) | st.just(np.inf)))
def test_every_finite_number_is_counted_once(tmp_path_factory: pytest.TempPathFactory, numbers: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("events")
    file = EventFile(folder)
    file.histograms(7, {"weights": numbers})
    file.close()
    found = [value.histo for event in events(next(folder.iterdir())) for value in event.summary.value]

    finite = numbers[np.isfinite(numbers)].astype(np.float64)
    assert len(found) == bool(finite.size)
    for histogram in found:
        assert histogram.num == sum(histogram.bucket) == finite.size
        assert (histogram.min, histogram.max) == (finite.min(), finite.max())
        np.testing.assert_allclose(histogram.sum, finite.sum(), rtol=1e-12)
        np.testing.assert_allclose(histogram.sum_squares, np.square(finite).sum(), rtol=1e-12)
        edges = np.array(histogram.bucket_limit)
        counts = np.diff([np.sum(finite <= edge) for edge in edges], prepend=0)
        # a number on an edge may count on either side of it
        assert np.abs(np.cumsum(counts) - np.cumsum(histogram.bucket)).max() <= np.isin(finite, edges).sum()


@pytest.mark.usefixtures("no_figures")
def test_an_evaluation_adds_returns_and_weights(tmp_path: Path) -> None:
    values = {"run.steps": 300, "evaluation.every": 100, "evaluation.episodes": 3, "learning.starts": 50}
    framework.train(assemble("dqn,chain", values), tmp_path / "run")
    (file,) = (tmp_path / "run").glob("events.out.tfevents.*")
    found = {
        (event.step, value.tag): value.histo.num
        for event in events(file)
        for value in event.summary.value
        if value.HasField("histo")
    }
    assert {step for step, _ in found} == {100, 200, 300}
    assert all(found[step, "evaluation/returns"] == 3 for step in (100, 200, 300))
    weights = framework.load(tmp_path / "run", "last").policy.state_dict()["online"]
    for name, array in weights.items():
        assert found[300, f"weights/online/{name}"] == array.size
