"""Runs an exported file in a process that can import neither torch (for ONNX) nor this package."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

PROGRAM = """
import importlib.abc, json, sys
import numpy as np

path, given, written, *forbidden = sys.argv[1:]

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in forbidden:
            raise ModuleNotFoundError(f"{name} is not installed here")

sys.meta_path.insert(0, Absent())
shown = dict(np.load(given))
if path.endswith(".onnx"):
    import onnxruntime
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["pluggable_q"])
    (values,) = session.run(["action_values"], {one["name"]: shown[one["name"]] for one in about["inputs"]})
else:
    import torch
    extra = {"pluggable_q.json": ""}
    model = torch.export.load(path, extra_files=extra).module()
    about = json.loads(extra["pluggable_q.json"])
    values = model(*(torch.from_numpy(shown[one["name"]]) for one in about["inputs"])).detach().numpy()
assert not set(forbidden) & {name.partition(".")[0] for name in sys.modules}
np.save(written, values)
"""


def action_values(path: Path, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """The action values that a program of someone else computes with a file, in a process of its own."""
    given, written = path.with_name("given.npz"), path.with_name("written.npy")
    np.savez(given, **inputs)
    forbidden = ["framework", "plugins", "envs", "gymnasium", *(["torch"] if path.suffix == ".onnx" else [])]
    words = [sys.executable, "-c", PROGRAM, str(path), str(given), str(written), *forbidden]
    done = subprocess.run(words, cwd=path.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return np.asarray(np.load(written))
