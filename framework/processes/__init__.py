"""Processes: children that run side by side and never outlive their parent."""
