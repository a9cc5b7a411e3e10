"""Checks of the sampler."""
