"""MinAtar, five Atari games in miniature, and the plugin `minatar` that offers them.

Young & Tian 2019, *MinAtar: An Atari-Inspired Testbed for Thorough and Reproducible Reinforcement Learning
Experiments* (arXiv:1903.03176). The games are those of their package. The environment around them is our own, for
three reasons: an episode depends only on its seed and its actions, images have their channels first, as networks
need them, and rendering needs no library for plots.

Two settings differ from the paper's protocol. Agents choose among the actions that do something in their game
(`minatar.actions=full` gives the paper's six), and an episode is truncated after 5 000 steps (`minatar.max_steps=0`
removes the limit). Repeated actions and growing difficulty are as in the paper. Rewards are never clipped.

The package is licensed GPL-3.0-or-later. This module imports it only when an environment is made: it imports pandas
and seaborn, which takes a second.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import TimeLimit
from jaxtyping import UInt8

from framework.config import Config, Field, Section
from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.types import Role

SIDE = 10
"""Side of every game's board, in cells."""

CELL = 32
"""Side of a cell in pixels: an even number, because video encoders need one."""

ACTIONS = ("noop", "left", "up", "right", "down", "fire")
"""The meaning of each action of the package, by its number."""

COLOURS = (
    (240, 240, 240),
    (230, 75, 60),
    (90, 110, 130),
    (70, 150, 220),
    (250, 200, 60),
    (110, 200, 110),
    (180, 110, 200),
    (245, 145, 60),
    (100, 210, 210),
    (235, 150, 180),
)
"""The colour of each channel, on black. No game has more channels."""

RECOMMENDED: dict[str, Any] = {
    "run.num_envs": 8,
    "run.steps": 300_000,
    "evaluation.every": 20_000,
    "evaluation.episodes": 20,
}
"""Values for MinAtar with any agent."""

RECOMMENDED_FOR_DQN: dict[str, Any] = {
    "replay.capacity": 100_000,
    "learning.batch_size": 64,
    "learning.starts": 2_000,
    "learning.updates_per_step": 0.125,
    "target.every": 4_000,
    "target.unit": "env_steps",
    "exploration.shape": "linear",
    "exploration.start": 1.0,
    "exploration.final": 0.02,
    "exploration.horizon": 20_000,
    "exploration.unit": "env_steps",
    "dqn.learning_rate": 5e-4,
    "dqn.hidden": 128,
    "c51.v_min": 0.0,
    "c51.v_max": 30.0,
}
"""Values for the paper's small network on one core: few updates of large batches, one for each step of all games."""

Game = Literal["asterix", "breakout", "freeway", "seaquest", "space_invaders"]
Channels = UInt8[np.ndarray, "C 10 10"]
Picture = UInt8[np.ndarray, "height width 3"]


class MinAtarEnv(gymnasium.Env[Channels, np.int64]):
    """
    ## Description
    One of MinAtar's games on a board of 10 × 10 cells.

    ## Observation space
    `Box(0, 255, (C, 10, 10), uint8)`: one channel for each kind of object, 255 where an object is and 0
    elsewhere. C is 4 in Asterix and Breakout, 6 in Space Invaders, 7 in Freeway and 10 in Seaquest.

    ## Action space
    `Discrete(n)`: indices into `actions`, names from `ACTIONS`. With probability `sticky_action_prob` the game
    repeats its previous action instead. At an episode's first step that is "noop".

    ## Rewards
    +1 for a treasure, a brick, a road crossed, an enemy or an alien hit; in Seaquest up to +10 for surfacing with
    six divers.

    ## Start
    The package draws the start. `reset(seed=…)` calls the package's `seed`, so that the seed decides the start and
    everything random in the episode. Without a seed the random generator continues.

    ## End
    The games' own ends terminate, including Freeway's clock of 2 500 steps. This class truncates nothing; the plugin
    does.

    ## Arguments
    game: "asterix", "breakout", "freeway", "seaquest" or "space_invaders".
    actions: "minimal", those that do something in this game, or "full", all six.
    sticky_action_prob: in [0, 1].
    difficulty_ramping: whether Asterix, Seaquest and Space Invaders become harder during an episode.
    render_mode: "rgb_array" or None.

    Raises:
        UsageError: if the package is missing.
        ValueError: for another render mode.
    """

    # Gymnasium declares metadata as a plain attribute, which a ClassVar may not override.
    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 15}  # noqa: RUF012

    def __init__(
        self,
        game: Game = "breakout",
        actions: Literal["minimal", "full"] = "minimal",
        sticky_action_prob: float = 0.1,
        difficulty_ramping: bool = True,
        render_mode: str | None = None,
    ) -> None:
        modes = self.metadata["render_modes"]
        if render_mode is not None and render_mode not in modes:
            raise ValueError(f"render_mode must be None or one of {modes}, got {render_mode!r}")
        self.render_mode = render_mode
        self._game = _package().Environment(game, sticky_action_prob, difficulty_ramping)
        chosen = self._game.minimal_action_set() if actions == "minimal" else range(len(ACTIONS))
        self._chosen = tuple(chosen)
        self.actions = tuple(ACTIONS[number] for number in self._chosen)
        channels: dict[str, int] = self._game.env.channels
        self.channels = tuple(sorted(channels, key=channels.__getitem__))
        self.observation_space = Box(0, 255, (len(self.channels), SIDE, SIDE), np.uint8)
        self.action_space = Discrete(len(self.actions))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Channels, dict[str, Any]]:
        """A new episode. No options are read; info is empty. Raises ValueError for a seed outside [0, 2³²)."""
        super().reset(seed=seed)
        self._game.seed(seed)
        self._game.last_action = 0  # else the package may repeat the previous episode's last action
        self._game.reset()
        return self._observation(), {}

    def step(self, action: np.int64 | int) -> tuple[Channels, float, bool, bool, dict[str, Any]]:
        """Let the game act once; truncated is always false and info empty. Raises ValueError for an unknown action."""
        if not 0 <= action < len(self._chosen):
            raise ValueError(f"action must be in 0…{len(self._chosen) - 1}, got {action!r}")
        reward, terminated = self._game.act(self._chosen[int(action)])
        return self._observation(), float(reward), bool(terminated), False, {}

    def render(self) -> Picture | None:
        """A picture of the board, `CELL` pixels for each cell; None without a render mode.

        A cell with several objects shows the last channel, in the order that the package's own window uses.
        """
        if self.render_mode is None:
            return None
        board = np.zeros((SIDE, SIDE, 3), np.uint8)
        for channel, colour in zip(self._observation(), COLOURS, strict=False):
            board[channel > 0] = colour
        return board.repeat(CELL, axis=0).repeat(CELL, axis=1)

    def _observation(self) -> Channels:
        state = self._game.state().transpose(2, 0, 1)
        return np.multiply(state, 255, dtype=np.uint8, order="C")


def _package() -> Any:
    """The package `minatar`.

    Raises:
        UsageError: if it is not installed.
    """
    try:
        return importlib.import_module("minatar")
    except ModuleNotFoundError as error:
        if error.name != "minatar":
            raise
        raise UsageError("the package MinAtar is not installed: pip install 'pluggable-q[minatar]'") from error


class MinAtarOptions(Section, name="minatar"):
    """Which game of MinAtar is played, and by which rules."""

    game: Game = Field("breakout", description="the game")
    actions: Literal["minimal", "full"] = Field(
        "minimal",
        description="minimal: only the actions that do something in the game, which agents learn faster; "
        "full: all six in every game, as in the paper",
    )
    sticky_action_prob: float = Field(
        0.1, ge=0, le=1, description="probability, at each step, that the previous action is repeated"
    )
    difficulty_ramping: bool = Field(
        True, description="asterix, seaquest and space_invaders become harder during an episode"
    )
    max_steps: int = Field(
        5_000,
        ge=0,
        description="steps after which an episode is truncated, so that a game that never ends does not block the run; "
        "the default is twice the length of Freeway's episodes; 0: no limit",
    )


def minatar_env(options: MinAtarOptions, render_mode: str | None = None) -> gymnasium.Env[Channels, np.int64]:
    """One game with its time limit. `protocol` in its metadata holds every setting that defines the game."""
    env = MinAtarEnv(options.game, options.actions, options.sticky_action_prob, options.difficulty_ramping, render_mode)
    protocol = {
        **options.model_dump(mode="json"),
        "minatar": importlib.metadata.version("MinAtar"),
        "action_set": options.actions,
        "actions": list(env.actions),
        "channels": list(env.channels),
        "reward_clip": None,
    }
    env.metadata = {**env.metadata, "protocol": protocol, "action_names": list(env.actions)}
    return TimeLimit(env, options.max_steps) if options.max_steps else env


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MinAtarOptions]


@hookimpl
def recommended_values(names: Sequence[str]) -> Mapping[str, Any]:
    return {**RECOMMENDED, **RECOMMENDED_FOR_DQN} if "dqn" in names else RECOMMENDED


@hookimpl
def libraries() -> Sequence[str]:
    return ["MinAtar"]


@hookimpl
def make_env(config: Config, role: Role) -> Callable[[], gymnasium.Env[Channels, np.int64]]:
    return partial(minatar_env, config[MinAtarOptions], "rgb_array" if role == "watch" else None)
