"""The baseline: every text gets the most frequent tags of the training data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tagloom.config import TaggerSettings
from tagloom.tags.experts.contract import Arrays, Carried, Floats, Rows, TrainingData
from tagloom.tags.features import Features, Reading

if TYPE_CHECKING:
    from tagloom.nn.training import Trained


@dataclass(frozen=True, eq=False)
class PopularExpert:
    """The tags' log-odds [L]."""

    log_odds: Floats

    @classmethod
    def fit(cls, data: TrainingData, settings: TaggerSettings) -> tuple[PopularExpert, Trained | None]:  # noqa: ARG003
        """Count tags; nothing else is learned."""
        return cls(data.prior), None

    @classmethod
    def load(cls, arrays: Arrays, about: dict[str, Any], features: Features) -> PopularExpert:  # noqa: ARG003
        """What was saved."""
        return cls(**arrays)

    def scores(self, reading: Reading) -> Floats:
        """The same row for each text."""
        return np.repeat(self.log_odds[None], len(reading), axis=0)

    def carried(self, reading: Reading, tags: Rows) -> list[Carried]:
        """Nothing in the text carried anything."""
        return [((), np.zeros((0, tags.shape[1]), np.float32))] * len(reading)

    def arrays(self) -> Arrays:
        """The log-odds."""
        return {"log_odds": self.log_odds}

    def about(self) -> dict[str, Any]:
        """Nothing."""
        return {}
