"""A page about recorded runs: one HTML file that needs no network, no other file and no scripts."""
