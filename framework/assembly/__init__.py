"""Assembly: names and values become the parts of a run."""
