"""Tags, recommendations, descriptions and pictures for a shop's catalogue, in Chinese and English."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tagloom.data.sample import write_sample
    from tagloom.data.tables import Events, Products
    from tagloom.errors import TagloomError
    from tagloom.recs.answers import Recommendation
    from tagloom.recs.recommender import Recommender
    from tagloom.recs.rules import Rules
    from tagloom.shop import Shop
    from tagloom.tags.tagger import Tagger, TagScore

__all__ = [
    "Events",
    "Products",
    "Recommendation",
    "Recommender",
    "Rules",
    "Shop",
    "TagScore",
    "Tagger",
    "TagloomError",
    "write_sample",
]

_HOMES = {
    "Events": "tagloom.data.tables",
    "Products": "tagloom.data.tables",
    "Recommendation": "tagloom.recs.answers",
    "Recommender": "tagloom.recs.recommender",
    "Rules": "tagloom.recs.rules",
    "Shop": "tagloom.shop",
    "TagScore": "tagloom.tags.tagger",
    "Tagger": "tagloom.tags.tagger",
    "TagloomError": "tagloom.errors",
    "write_sample": "tagloom.data.sample",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `import tagloom` and `--help` stay quick (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tagloom' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
