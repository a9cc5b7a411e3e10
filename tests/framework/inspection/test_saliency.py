"""Occlusion: zero where the value does not depend on the image, and where the covered part is background."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.assembly.assemble import assemble_agent
from framework.inspection.saliency import image_leaf, occlusion, overlaid, picture_of
from framework.spaces import MASK, WHOLE, Record
from framework.types import Spaces


class Reads:
    """Values that depend on one pixel alone, with a weight for each action."""

    def __init__(self, place: tuple[int, ...] | None, weights: tuple[float, ...] = (1.0, 2.0, -1.0)) -> None:
        self.place, self.weights = place, np.array(weights)

    def action_values(self, obs: np.ndarray, explore: bool) -> np.ndarray:
        assert not explore
        image = obs if obs.dtype.names is None else obs["camera"]
        seen = np.ones(len(obs)) if self.place is None else image[(slice(None), *self.place)].astype(np.float64)
        return seen[:, None] * self.weights


@pytest.mark.parametrize("shape", [(4, 10, 10), (10, 10), (4, 84, 84), (1, 42, 42), (3, 7, 50)])
def test_a_policy_that_ignores_its_input_has_no_saliency(shape: tuple[int, ...]) -> None:
    obs = np.random.default_rng(0).integers(0, 256, (1, *shape), np.uint8)
    found = occlusion(Reads(None), obs, WHOLE)
    assert found.shape == shape[-2:] and not found.any()


def test_a_network_whose_first_weights_are_zero_has_no_saliency() -> None:
    agent: Any = assemble_agent("dqn,minatar")
    torch = __import__("torch")
    obs = np.random.default_rng(0).choice([0, 255], (1, 4, 10, 10)).astype(np.uint8)
    assert occlusion(agent.policy, obs, WHOLE).any()
    with torch.no_grad():
        next(agent.policy.online.torso.parameters()).zero_()
    assert not occlusion(agent.policy, obs, WHOLE).any()


@settings(max_examples=30)
@given(y=st.integers(0, 9), x=st.integers(0, 9), channel=st.integers(0, 3))
def test_on_a_small_board_only_the_cell_that_counts_is_salient(y: int, x: int, channel: int) -> None:
    obs = np.zeros((1, 4, 10, 10), np.uint8)
    obs[0, channel, y, x] = 255
    before = obs.copy()
    found = occlusion(Reads((channel, y, x)), obs, WHOLE)
    assert np.argwhere(found).tolist() == [[y, x]]
    assert found[y, x] == 2 * 255, "the change of the best action's value"
    assert np.array_equal(obs, before), "the observation stays as it is"


def test_in_a_large_image_the_surroundings_of_the_pixel_are_salient() -> None:
    obs = np.full((1, 4, 84, 84), 87, np.uint8)
    obs[0, 3, 30, 60] = 200
    found = occlusion(Reads((3, 30, 60)), obs, WHOLE)
    rows, columns = np.nonzero(found)
    assert found[30, 60] == found.max() == 2 * (200 - 87)
    assert abs(rows - 30).max() < 14 and abs(columns - 60).max() < 14
    obs[0, 3, 30, 60] = 87
    assert not occlusion(Reads((3, 30, 60)), obs, WHOLE).any(), "background covers background"


def test_an_image_within_a_record_and_its_mask() -> None:
    space = Record({"camera": gymnasium.spaces.Box(0, 255, (10, 10), np.uint8), "n": gymnasium.spaces.Discrete(3)}, 3)
    obs = np.zeros(1, space.dtype)
    obs["camera"][0, 2, 3], obs[MASK] = 10, [True, False, True]
    spaces = Spaces(space, gymnasium.spaces.Discrete(3), space, 1, "repeat", 1)
    assert image_leaf(spaces) == "camera"
    found = occlusion(Reads((2, 3)), obs, "camera")
    assert np.argwhere(found).tolist() == [[2, 3]] and found[2, 3] == 10, "of the allowed actions, the first is best"


def test_numbers_are_no_images() -> None:
    assert image_leaf(assemble_agent("dqn,cartpole").spaces) is None
    assert image_leaf(assemble_agent("dqn,chain").spaces) is None
    assert image_leaf(assemble_agent("dqn,minatar").spaces) == WHOLE


def test_pictures_of_observations() -> None:
    stack = np.zeros((1, 3, 8, 9), np.uint8)
    stack[0, -1] = 77
    assert (picture_of(stack, WHOLE, stacked=True) == 77).all()
    assert picture_of(stack, WHOLE, stacked=False).shape == (8, 9, 3)
    board = np.zeros((1, 5, 6, 6), np.uint8)
    board[0, 0, 1, 1] = board[0, 4, 2, 2] = 255
    seen = picture_of(board, WHOLE, stacked=False)
    assert (seen.max(axis=2) > 0).sum() == 2
    assert seen[1, 1].tolist() != seen[2, 2].tolist(), "each channel has its own colour"


def test_orange_grows_with_the_saliency() -> None:
    picture, saliency = np.full((1, 3, 3), 100, np.uint8), np.array([[0.0, 0.5, 1.0]])
    red = overlaid(picture, saliency, 1.0)[0, :, 0].astype(int)
    assert red[0] < red[1] < red[2]
    assert len(np.unique(overlaid(picture, saliency, 0.0), axis=1)[0]) == 1
