"""Published scores of an environment, to compare returns with: a random agent's and a human's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from framework.errors import UsageError


@dataclass(frozen=True)
class ReferenceScores:
    """The entry `reference_scores` of an environment's metadata. Scores are raw returns of whole episodes."""

    random: float
    human: float
    source: str

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> ReferenceScores | None:
        """The scores that an environment declares, if any.

        Raises:
            UsageError: if an entry is missing or not a finite number, or both scores are equal.
        """
        declared = metadata.get("reference_scores")
        if declared is None:
            return None
        try:
            found = cls(float(declared["random"]), float(declared["human"]), str(declared["source"]))
        except (TypeError, KeyError, ValueError):
            found = cls(math.nan, math.nan, "")
        if not math.isfinite(found.human - found.random) or found.human == found.random:
            raise UsageError(
                f"reference_scores = {declared!r} is not supported: it must be {{'random': a score, 'human': another, "
                "'source': where they were published}"
            )
        return found

    def normalise(self, score: float) -> float:
        """The human-normalised score: 0 is the random agent's, and 1 the human's."""
        return (score - self.random) / (self.human - self.random)
