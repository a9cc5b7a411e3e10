"""Looks inside what was learnt: action values, their films, saliency, and what a replay holds."""
