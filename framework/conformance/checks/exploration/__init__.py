"""Checks of the exploration."""
