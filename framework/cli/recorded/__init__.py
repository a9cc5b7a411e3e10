"""The commands about recorded runs: play them, look inside, compare them, write about them, take them elsewhere."""
