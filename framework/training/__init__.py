"""Training: a run, its folder and its evaluations, how to resume it, and how to repeat it."""
