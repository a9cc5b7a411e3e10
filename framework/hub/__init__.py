"""Runs on a hub of agents: what travels, how it is described there, and how what arrives is verified."""

from framework.hub.fetch import pull
from framework.hub.send import push

__all__ = ["pull", "push"]
