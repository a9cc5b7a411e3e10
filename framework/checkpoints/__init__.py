"""Checkpoints, from which a run continues bit for bit: verified files in safetensors and JSON, never a pickle.

`docs/checkpoints.md` says what is guaranteed and what is not.
"""
