"""Which tags are one tag spelled differently: spelling variants and typing errors, found without a dictionary."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from tagloom.data.vocabulary.normal import has_han

# A typing error is rare beside what was meant.
TYPO_RATIO = 20
_TYPO_LETTERS = 6
_TYPO_WORD_LETTERS = 5

_SEPARATORS = re.compile(r"[\s\-_/·・‐‑–—]+")
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[\s\-_/]+(?=\d)")
# "children's", and "children-s" where a machine took the apostrophe for a blank.
_APOSTROPHES = re.compile(r"['’]|(?<=[a-z]{3})[\s\-_](?=s\b)")

# British to American, by stem where the ending alone would catch other words ("four", "rise").
_AMERICAN = [
    (
        re.compile(
            r"\b(col|flav|hum|fav|hon|lab|neighb|rum|arm|harb|vap|sav|behavi|parl|od|tum|vig|splend|endeav)our"
            r"(?=(s|ed|ing|ite|ites|ful|less|ist|able|hood|al)?\b)"
        ),
        r"\1or",
    ),
    (re.compile(r"(?<=[a-z]{4})is(e|ed|es|er|ers|ing|ation|ations)\b"), r"iz\1"),
    (re.compile(r"\b(thea|cen|fib|lit|lus|spec|calib|somb)(t|b|)re(s?)\b"), r"\1\2er\3"),
    (re.compile(r"\b(catal|dial|anal|monol|prol|epil)ogue(s?)\b"), r"\1og\2"),
    (re.compile(r"\b(def|off|lic|pret)ence\b"), r"\1ense"),
    (re.compile(r"\b(travel|model|label|jewel|marvel|counsel|cancel|quarrel)l(ed|er|ers|ing|ery)\b"), r"\1\2"),
    (re.compile(r"\bjewelery\b"), "jewelry"),
    (re.compile(r"\bgrey"), "gray"),
    (re.compile(r"\b(py)jama"), "pajama"),
    (re.compile(r"\bmould"), "mold"),
    (re.compile(r"\baluminium\b"), "aluminum"),
    (re.compile(r"\byoghurt"), "yogurt"),
    (re.compile(r"\bmoustache"), "mustache"),
    (re.compile(r"\bcos(y|ies)\b"), r"coz\1"),
]

_IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "feet": "foot",
    "teeth": "tooth",
    "mice": "mouse",
    "geese": "goose",
    "people": "person",
    **{word + "ves": word + "f" for word in ("wol", "el", "dwar", "scar", "shel", "thie", "lea", "loa", "hal", "sel")},
    **{word + "ves": word + "fe" for word in ("kni", "wi", "li")},
}
# Words whose plural is another thing, or that only look like plurals.
_NO_PLURAL = frozenset(
    (
        "shorts",
        "tights",
        "briefs",
        "glasses",
        "goods",
        "arms",
        "customs",
        "trunks",
        "boxers",
        "news",
        "series",
        "species",
        "means",
        "lens",
        "always",
        "overseas",
        "politics",
        "economics",
        "physics",
        "ethics",
        "mathematics",
        "athletics",
        "graphics",
        "aesthetics",
        "electronics",
        "forces",
        "works",
        "clothes",
        "flats",
        "tops",
        "bottoms",
        "pumps",
        "heels",
        "cards",
        "checks",
        "stockings",
        "bangs",
        "minutes",
    )
)


def spelling_key(form: str) -> str:
    """What spelling variants have in common: no separators, accents, apostrophes, plurals; American spelling.

    Of `name=value` only the value is changed, so variants stay within their attribute. Digits keep what divides them.

    >>> spelling_key("sci-fi") == spelling_key("scifi"), spelling_key("kids' toys") == spelling_key("kid-toy")
    (True, True)
    >>> spelling_key("non-fiction") == spelling_key("fiction"), spelling_key("1-5") == spelling_key("15")
    (False, False)
    """
    name, separator, value = form.rpartition("=")
    text = _BETWEEN_DIGITS.sub("\x00", _APOSTROPHES.sub("", value))
    if re.match(r"-\d", text):
        text = "\x01" + text[1:]
    plain = text if text.isascii() else _unaccented(text)
    if re.search("[a-z]", plain):
        plain = _SEPARATORS.sub(" ", plain.replace("&", " and "))
        for pattern, american in _AMERICAN:
            plain = pattern.sub(american, plain)
        plain = " ".join(map(_singular, plain.split()))
    return name + separator + _SEPARATORS.sub("", plain)


def written_alike(one: str, other: str) -> bool:
    """Whether two forms differ in nothing but blanks, hyphens and the like, so that no use could tell them apart."""
    return _SEPARATORS.sub("", one) == _SEPARATORS.sub("", other)


def _unaccented(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text)
    # Only Latin letters lose their marks; elsewhere (kana, Hangul, Devanagari) a mark makes another letter.
    kept = [c for i, c in enumerate(parts) if not (unicodedata.combining(c) and i and _is_latin(parts, i))]
    return unicodedata.normalize("NFC", "".join(kept))


def _is_latin(parts: str, at: int) -> bool:
    while at and unicodedata.combining(parts[at]):
        at -= 1
    return parts[at].isascii() and parts[at].isalpha()


def _singular(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 4 or not word.endswith("s") or word in _NO_PLURAL or not word.isalpha():
        return word
    if word.endswith(("ss", "us", "is", "os")) and word not in ("videos", "photos", "logos", "radios", "kimonos"):
        return word
    if word.endswith("ies") and len(word) > 4:
        # "movies" and "cookies" have no "y" in the singular: both ways of reading lead to one key.
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zzes")):
        return word[:-2]
    # "childrens" is "children's": the plural below it has a singular of its own.
    return _IRREGULAR.get(word[:-1], word[:-1])


def spelling_merges(
    weights: Mapping[str, int],
    anchors: Mapping[str, str],
    agree: Callable[[str, str], bool],
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Find the forms that differ only in spelling.

    Args:
        weights: products of each normal form.
        anchors: forms whose place is settled (by the vocabulary or the synonym file) and where they belong.
        agree: tells whether two forms are used alike; where they are not, they are proposed, not merged.

    Returns:
        form -> the form it belongs to, and the pairs that only a person can judge.
    """
    buckets: dict[str, list[str]] = defaultdict(list)
    for form in {*weights, *anchors}:
        buckets[spelling_key(form)].append(form)
    merges: dict[str, str] = {}
    doubtful: list[tuple[str, str]] = []
    for bucket in buckets.values():
        if len(bucket) < 2:
            continue
        bucket.sort(key=lambda form: (-weights.get(form, 0), form))
        roots = sorted({anchors[form] for form in bucket if form in anchors}, key=lambda r: (-weights.get(r, 0), r))
        free = [form for form in bucket if form not in anchors]
        if not roots:
            roots = [free.pop(0)]
        for form in free:
            if agree(form, roots[0]):
                merges[form] = roots[0]
            else:
                doubtful.append((form, roots[0]))
        doubtful += [(root, roots[0]) for root in roots[1:]]
    return merges, doubtful


def typo_merges(
    weights: Mapping[str, int], anchored: Iterable[str], agree: Callable[[str, str], bool]
) -> dict[str, str]:
    """Find rare forms that are one typing error away from a common one.

    Held back on purpose: short words, digits, Chinese (one character makes another colour), a first or last letter
    that differs (another word, another language's ending), words that other tags use as they are.

    Args:
        weights: products of each normal form.
        anchored: forms whose place is settled; none of them is taken for an error.
        agree: tells whether what is known about their use lets the first be an error for the second.
    """
    settled = set(anchored)
    texts = {form: text for form in weights if (text := _typeable(form))}
    words = _word_weights(texts, weights)
    by_deletion: dict[str, list[str]] = defaultdict(list)
    for form, text in texts.items():
        for variant in _deletions(text):
            by_deletion[form[: len(form) - len(form.rpartition("=")[2])] + variant].append(form)
    best: dict[str, str] = {}
    for rivals in by_deletion.values():
        if len(rivals) < 2:
            continue
        common = max(rivals, key=lambda form: (weights[form], form))
        for rare in rivals:
            if rare in settled or weights[rare] * TYPO_RATIO > weights[common] or rare == common:
                continue
            if weights[common] > weights.get(best.get(rare, ""), 0) and _is_slip(texts[rare], texts[common], words):
                best[rare] = common
    return {rare: common for rare, common in sorted(best.items()) if agree(rare, common)}


def _typeable(form: str) -> str:
    value = form.rpartition("=")[2]
    if has_han(value) or any(map(str.isdigit, value)) or sum(map(str.isalpha, value)) < _TYPO_LETTERS:
        return ""
    # Without plurals, so that the last letter is the word's own.
    return " ".join(map(_singular, _SEPARATORS.sub(" ", value).split()))


def _deletions(text: str) -> set[str]:
    # Two texts one edit apart share one of these (symmetric deletion, Garbe 2012).
    return {text, *(text[:i] + text[i + 1 :] for i in range(1, len(text)))}


def _word_weights(texts: Mapping[str, str], weights: Mapping[str, int]) -> dict[str, int]:
    total: dict[str, int] = defaultdict(int)
    for form, text in texts.items():
        for word in set(text.split()):
            total[word] += weights[form]
    return total


def _is_slip(rare: str, common: str, words: Mapping[str, int]) -> bool:
    rare_words, common_words = rare.split(), common.split()
    if len(rare_words) != len(common_words):
        return False
    differing = [pair for pair in zip(rare_words, common_words, strict=True) if pair[0] != pair[1]]
    if len(differing) != 1:
        return False
    wrong, right = differing[0]
    if min(len(wrong), len(right)) < _TYPO_WORD_LETTERS or wrong[0] != right[0] or wrong[-1] != right[-1]:
        return False
    # A word that stands in many tags is a word, not a slip.
    return words[wrong] * TYPO_RATIO <= words[right] and one_edit_apart(wrong, right)


def differ_by_substitution(one: str, other: str) -> bool:
    """Whether a letter stands for another: so do many real words (horses, houses), seldom slips of the hand.

    >>> differ_by_substitution("horses", "houses"), differ_by_substitution("fantsay", "fantasy")
    (True, False)
    """
    return len(one) == len(other) and sorted(one) != sorted(other)


def one_edit_apart(one: str, other: str) -> bool:
    """Whether one insertion, deletion, substitution or swap of neighbours makes one string of the other.

    >>> one_edit_apart("fantasy", "fantsay"), one_edit_apart("fantasy", "fantasia")
    (True, False)
    """
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1 or one == other:
        return False
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    if len(one) < len(other):
        return one[at:] == other[at + 1 :]
    swapped = one[at + 1 : at + 2] + one[at : at + 1] + one[at + 2 :]
    return one[at + 1 :] == other[at + 1 :] or swapped == other[at:]
