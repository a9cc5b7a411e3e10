"""What is kept of a run so that it goes on bit for bit: safetensors and JSON, verified, never a pickle.

`docs/checkpoints.md` says what is promised, and what is not.
"""
