"""What a run has learnt, to compare a run in one piece with a run in several."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from framework.recording import read_rows

TIMES = ("seconds", "evaluation_seconds", "updates_per_second", "steps_per_second")


def left_behind(run: Path) -> dict[str, Any]:
    """The metrics, weights and facts in a run's folder, without the times."""
    rows = [{key: value for key, value in row.items() if key not in TIMES} for row in read_rows(run / "metrics.jsonl")]
    weights = {
        str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [run / "last.safetensors", *run.glob("best/*.safetensors")]
    }
    facts = {str(path.relative_to(run)): json.loads(path.read_text()) for path in run.glob("best/*.json")}
    return {"rows": rows, "weights": weights, "facts": facts}
