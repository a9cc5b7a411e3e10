"""The metadata that the engine reads: which game is played, and what the agent sees of it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any, Literal

from framework.types import Role
from plugins.atari.game import Game
from plugins.atari.games import SCREEN
from plugins.atari.options import StackOptions
from plugins.atari.scores import reference_scores

COURT = slice(34, 194)
"""The rows of the view "court", which are a square of the screen.

In Pong they are the rows between the walls; the score is above them. At 84 pixels this is the crop of Mnih et al. 2013.
"""

EPISODES_PER_SEED = 20
"""The games between two resets with a seed, where only the number of no-ops is drawn.

Such a reset loads the game, 20 to 40 times as long as one without a seed. A resumed run repeats the resets since then.
"""


def effective_backend(options: StackOptions, role: Role) -> Literal["native", "wrappers"]:
    """Return the back end that is used. Watching always uses `wrappers`, which can render."""
    return "wrappers" if role == "watch" else options.backend


def lives_end_episodes(game: Game, role: Role) -> bool:
    """Whether a lost life ends the learner's episode. Evaluations play whole games."""
    return game.life_loss and role == "train"


def picture(options: StackOptions, screen: tuple[int, int] = SCREEN) -> tuple[int, slice]:
    """Return the height to which the screen is resized (the width is `size`), and the rows that the agent sees.

    screen: rows and columns of the console's screen.
    """
    if options.view == "screen":
        return options.size, slice(0, options.size)
    rows, columns = screen
    height = round(options.size * rows / columns)
    top = round(height * COURT.start / rows)
    return height, slice(top, top + options.size)


def describe(game: Game, role: Role, actions: Sequence[str]) -> dict[str, Any]:
    """Return the environment's metadata for the engine, a new dict at each call.

    `protocol` contains every setting that decides which game is played, as JSON values.

    actions: ALE's names of the agent's actions, by index.
    """
    options = game.options
    backend = effective_backend(options, role)
    first_noop = int(backend == "wrappers")
    # sticky actions draw random numbers while a game is played
    seldom = backend == "native" and not game.loads and not options.sticky
    per_seed = EPISODES_PER_SEED if seldom else 1
    clip = [-1.0, 1.0] if role == "train" and options.clip_rewards else None
    protocol: dict[str, Any] = {
        "game": game.name,
        "ale_py": importlib.metadata.version("ale-py"),
        "backend": backend,
        "action_set": game.action_set,
        "actions": list(actions),
        "repeat_action_probability": options.sticky,
        "frame_skip": options.frame_skip,
        "max_pooling": "the last two frames of each skip",
        "size": [options.size, options.size],
        "view": options.view,
        "colour": "grey",
        "resize": "area",
        "stack": options.stack,
        "stack_padding": options.padding,
        "noop_max": options.noop_max,
        "noop_range": [first_noop, first_noop + options.noop_max - 1] if options.noop_max else [0, 0],
        "fire_on_reset": options.fire_on_reset,
        "episodes_per_seed": per_seed,
        "reward_clip": clip,
        "max_frames": options.max_frames,
        "episode_ends_on_life_loss": lives_end_episodes(game, role),
        **game.described,
    }
    found: dict[str, Any] = {
        "frame_stack": options.stack,
        "stack_padding": options.padding,
        "frame_skip": options.frame_skip,
        "protocol": protocol,
        "action_names": list(actions),
        "episodes_per_seed": per_seed,
    }
    scores = reference_scores(game.name)
    if scores is not None:
        found["reference_scores"] = scores
    if game.highest_return is not None:
        found["highest_return"] = game.highest_return
    if game.mirror is not None:
        found["mirror"] = dict(game.mirror)
    if clip is not None:
        found["reward_clip"] = tuple(clip)
    return found
