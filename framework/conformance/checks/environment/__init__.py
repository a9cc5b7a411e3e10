"""Checks of the composition's own environment."""
