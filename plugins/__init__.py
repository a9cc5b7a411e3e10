"""The shipped plugins. Each enters by the same door as a stranger's: the entry points of the group `framework.plugins`."""
