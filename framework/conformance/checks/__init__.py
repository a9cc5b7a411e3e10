"""Checks of the properties that every part must have: one module or folder for each component."""
