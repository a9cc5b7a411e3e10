"""The machine and its processes: children that run side by side and end with their parent, and the limits on both."""
