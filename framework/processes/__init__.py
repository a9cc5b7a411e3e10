"""Processes: children that run side by side and end with their parent."""
