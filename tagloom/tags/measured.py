"""A Tagger's answers on tagged products that it was not trained on, measured."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tagloom.data.tables import Products
from tagloom.measure.evaluation import Evaluation, Expert, Training, evaluate_tags, judged
from tagloom.tags.decide import Bools, Floats
from tagloom.tags.fitted import Fitted


def measured(fitted: Fitted, products: Products, answers: Iterable[tuple[Floats, Bools]]) -> Evaluation:
    """Confidences and given tags, batches of [B, L] over the products in order, against the tags that are true."""
    names, batches = judged(products, fitted.tags, answers)
    counts = np.append(fitted.tag_counts, np.zeros(len(names) - len(fitted.tags))).astype(np.int64)
    experts = tuple(Expert(row["expert"], row["weight"], row["alone"], row["without"]) for row in fitted.contributions)
    return evaluate_tags(products, names, batches, Training(counts, fitted.trained_on, {}, experts))
