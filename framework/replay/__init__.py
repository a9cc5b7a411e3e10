"""Replay: where frames are kept (`lanes`), which are drawn (`samplers`), what their rewards become (`returns`)."""
