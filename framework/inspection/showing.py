"""Shows how an agent plays, with its action values if they are wanted."""

from __future__ import annotations

from collections.abc import Iterator

from framework.assembly.parts import Agent
from framework.inspection.episode import moments
from framework.inspection.screens import Screen


def show(
    agent: Agent, screen: Screen, episodes: int = 1, seed: int = 0, *, values: bool = False
) -> Iterator[tuple[float, bool]]:
    """Play episodes on a screen, and close it. Yield the raw return of each, and whether it was cut off.

    Args:
        seed: the seed of the episodes.
        values: draw a bar for each action value beside each picture.

    Raises:
        UsageError: if the screen cannot show a picture, or the environment draws none.
    """
    try:
        if values:
            from framework.inspection.overlay import Overlay, Scale

            names = [agent.spaces.name_of(action) for action in range(agent.spaces.num_actions)]
            overlay, scale = Overlay(names), Scale.of([])
        for number, moment in enumerate(moments(agent, episodes, seed)):
            picture, decision = moment.picture, moment.decision
            if values:
                if decision is not None:  # the axis grows with the film, because the next values are not known yet
                    scale = scale.including(decision.values) if number else Scale.of(decision.values)
                picture = overlay.draw([picture], decision, scale, f"return so far {moment.total:g}")
            screen.add(picture, moment.rate)
            if decision is None:
                yield moment.total, moment.cut
    finally:
        screen.close()
