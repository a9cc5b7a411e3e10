"""The shipped plugins. Like any other plugin, each is found by an entry point of the group `framework.plugins`."""
