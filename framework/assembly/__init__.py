"""Assembly: builds the parts of a run from names and values."""
