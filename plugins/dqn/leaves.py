"""The torso of an observation of several leaves: each leaf has a torso, and their features are joined."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from framework.assembly.slots import Slots
from framework.config import Config
from framework.errors import UnsupportedSpace
from framework.spaces import leaves_of, only_leaf
from framework.types import Spaces
from plugins.dqn.hookspecs import TorsoConstructor
from plugins.dqn.networks import Joined


def torso_of_leaves(spaces: Spaces, config: Config, slots: Slots) -> TorsoConstructor:
    """Fill `dqn_torso` for each leaf. The default serves leaves that the plugin of the slot refuses.

    Raises:
        UnsupportedSpace: if the plugin of the slot serves no leaf, or the default does not serve one that is left.
    """
    leaves, frames = leaves_of(spaces.observation), leaves_of(spaces.frame)
    torsos: dict[str, TorsoConstructor] = {}
    refusals: list[UnsupportedSpace] = []
    for name, leaf in leaves.items():
        given = {"spaces": replace(spaces, observation=leaf, frame=frames[name]), "leaf": name, "config": config}
        try:
            torsos[name] = slots.constructor("dqn_torso", **given)
        except UnsupportedSpace as refusal:
            refusals.append(refusal)
            if len(refusals) == len(leaves):
                raise
            torsos[name] = slots.default_constructor("dqn_torso", **given)
    if only_leaf(spaces.observation) is not None:
        return next(iter(torsos.values()))
    return partial(Joined, torsos)
