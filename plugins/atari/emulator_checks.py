"""Checks of games with lives on the real emulator: what a lost life does, in both back ends."""
