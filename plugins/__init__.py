"""The shipped plugins. Each enters by a stranger's door: the entry points of the group `framework.plugins`."""
