"""Environments: turns any gymnasium environment into a stream of true transitions."""
