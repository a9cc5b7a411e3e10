"""Policies as files that programs without this package run: what they need to know, a comparison, and the file."""

METADATA = "pluggable_q"
"""The key of the description in a file: in ONNX's metadata, or (with .json) the name of an extra file in a .pt2."""

OUTPUT = "action_values"
"""The name of a file's output."""
