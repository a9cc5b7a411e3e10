"""Defaults: the engine's own plugin and its parts."""
