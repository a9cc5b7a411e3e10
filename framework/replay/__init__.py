"""Replay: stores frames (`lanes`), draws transitions (`samplers`), computes returns (`returns`), and cuts the history
into segments for checkpoints (`segments`)."""
