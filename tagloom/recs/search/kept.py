"""The words of a catalogue kept in a folder, so that they need not be cut again; made again where they do not fit.

Cutting texts takes most of the time until a catalogue can be searched; from its words the index is made at once, in
memory. An index of tantivy's own on disk would be mapped into memory, and a file of it that is cut short while it is
mapped ends the process.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path

from tagloom.artifact import MANIFEST, check_artifact, load_part, new_artifact, save_part
from tagloom.data.tables import Products
from tagloom.data.words.text import WordSplitter
from tagloom.errors import ArtifactError, TagloomError, UserError
from tagloom.recs.search.reading import ProductWords

JOB, FORMAT = "search index", 1
_NAME = "words"


def kept_words(
    folder: Path, products: Products, splitter: WordSplitter, aliases: Mapping[str, tuple[str, ...]]
) -> tuple[ProductWords, str]:
    """The words of a catalogue, from a folder where it fits, and what was found there.

    Args:
        folder: where they are kept, or shall be.
        products, splitter, aliases: as for `ProductWords.of`.

    Returns:
        The words, and `kept`; `new`: nothing was there; `older`: it was of another catalogue, of other own words or
        aliases, or of another tagloom; `damaged`. These were made again and are now kept. `not kept`: they were made,
        but the folder cannot be written or holds files of others, as a warning says.
    """
    told = {"format": FORMAT, "catalogue": _fingerprint(products, splitter, aliases)}
    state = "new"
    try:
        if folder.is_dir() and any(folder.iterdir()):
            state = "kept" if check_artifact(folder, JOB).data == told else "older"
            if state == "kept":
                arrays, about = load_part(folder, _NAME)
                return ProductWords.from_arrays(about["words"], arrays), state
    except (ArtifactError, OSError):
        state = "damaged"
    words = ProductWords.of(products, splitter, aliases)
    try:
        _remove(folder)
        with new_artifact(folder, JOB, {}, told, {}) as new:
            save_part(new, _NAME, words.arrays(), {"words": words.words})
    except (TagloomError, OSError) as error:
        # What is kept only saves time: without it a search still answers.
        warnings.warn(
            f"the words of the catalogue are not kept ({error}); the search works, but cuts all texts anew each time:"
            f" make {folder} a folder that can be written and holds nothing else",
            RuntimeWarning,
            stacklevel=2,
        )
        return words, "not kept"
    return words, state


def _remove(folder: Path) -> None:
    """Take away our files and their folder; in a folder with others nothing is touched."""
    if not folder.is_dir():
        return
    ours = {MANIFEST, f"{_NAME}.json", f"{_NAME}.safetensors"}
    others = sorted({path.name for path in folder.iterdir()} - ours)
    if others:
        raise UserError(f"{folder}: holds {others[0]}, which is none of the search's; give it a folder of its own")
    for name in ours:
        (folder / name).unlink(missing_ok=True)
    folder.rmdir()


def _fingerprint(products: Products, splitter: WordSplitter, aliases: Mapping[str, tuple[str, ...]]) -> str:
    told = [products.fingerprint(), sorted(splitter.known), sorted(aliases.items())]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
