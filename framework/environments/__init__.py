"""Environments: any gymnasium environment becomes a stream of true transitions."""
