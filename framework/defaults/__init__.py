"""Defaults: the engine's own plugin, and the parts with which it fills slots."""
