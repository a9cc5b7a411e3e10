"""An agent acts on observations of its space and refuses all others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from framework.assembly.assemble import assemble


@pytest.mark.parametrize("names", ["tabular,chain", "dqn,chain"])
def test_one_observation_or_several(names: str) -> None:
    parts = assemble(names)
    parts.close()
    one, several = parts.act(3), parts.act(np.array([1, 2, 3]))
    assert isinstance(one, int) and several.shape == (3,) and several[2] == one


@pytest.mark.parametrize("wrong", [-1, 5, 7, 1.5, [1, 9], [[1]], "left", None])
def test_other_observations_are_refused(wrong: Any) -> None:
    parts = assemble("tabular,chain")
    parts.close()
    with pytest.raises(ValueError, match="observations"):
        parts.act(wrong)
