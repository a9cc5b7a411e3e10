"""Checks of the buffer."""
