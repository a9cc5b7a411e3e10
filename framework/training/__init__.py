"""Training: one run, from its first step to its folder, its evaluations and its repetition."""
