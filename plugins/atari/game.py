"""One game as the stack of wrappers plays it: what the options of `atari` and of its preset `pong` come down to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from plugins.atari.options import AtariOptions, StackOptions


@dataclass(frozen=True)
class Game:
    """Everything that both back ends need to know.

    name: ALE's name of the game.
    options: of the stack.
    action_set: the name of the set of actions, for the manifest.
    actions: ALE's names of the agent's actions, by index; None: all that the emulator accepts.
    life_loss: whether a lost life ends the learner's episode in training.
    loads: whether every seeded reset loads the game again (0.1 to 0.2 s). If false, it does so only if the emulator
        draws random numbers. Some games start differently after a reset without it.
    highest_return: the entry `highest_return` of the metadata, if the game has one.
    mirror: the entry `mirror` of the metadata, if the game is its own mirror image.
    described: further entries for the manifest's protocol.
    """

    name: str
    options: StackOptions
    action_set: str
    actions: tuple[str, ...] | None = None
    life_loss: bool = False
    loads: bool = True
    highest_return: float | None = None
    mirror: Mapping[str, Any] | None = None
    described: Mapping[str, Any] = field(default_factory=dict)

    @property
    def all_buttons(self) -> bool:
        """Whether the emulator accepts all actions of the joystick, and not only those that have an effect."""
        return self.action_set == "full"


def game_of(options: AtariOptions) -> Game:
    """The game that the options of `atari` describe."""
    return Game(
        options.game,
        options,
        options.actions,
        life_loss=options.life_loss,
        described={"protocol": options.protocol, "returns": "raw, of whole games"},
    )
