"""Raw text made plain, and plain text made words, in Chinese, English and what stands between them.

A shop's own words (brands above all) are found by a longest-match pass of ours before rjieba sees what is left of
the text. A high frequency in rjieba's dictionary would not do: it guarantees nothing, knows neither blanks nor
brackets inside a word, and is one dictionary for the whole process, so one shop's words would leak into another's.
We never write to that dictionary.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise

MAX_CHARACTERS = 100_000

# What takes no room: controls, bidirectional marks, zero-width blanks and joiners, fillers, variation selectors,
# half of a surrogate pair (which no library written in C or Rust accepts).
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)

# Sorting the marks on one letter takes time with the square of their number. No script needs more than thirty: Unicode
# Standard Annex 15, section 13. In a short text the square does no harm, and looking for it would cost more.
_MOST_MARKS = 30
_SHORT = 1_000
_NO_LETTERS = re.compile(r"[^\w\s]{31,}")

# Named entities need their semicolon: `salt&nothing` is no `&not;`. `&nbsp` is the one that exports cut short.
_ENTITY = re.compile(r"&(?:#\d{1,7};?|#x[0-9a-f]{1,6};?|nbsp;?|[a-z][a-z0-9]{1,31};)")
_TAG = re.compile(r"</?[a-z][a-z0-9-]*(?:[\s/][^<>]*)?>|<![^<>]*>")
_OPEN_TAG = re.compile(r"<(?=[a-z/!])")
_HIDDEN = (("<!--", "-->"), ("<style", "</style>"), ("<script", "</script>"))

HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0903\u093a-\u094f\u0e31-\u0e4e"
)
_LETTER = rf"(?:[^\W_{HAN}]|[{_MARKS}])"
EMOJI = (
    "[\U0001f1e6-\U0001f1ff]{2}|[\u231a\u231b\u23e9-\u23f3\u2600-\u2604\u2607-\u2712\u2714-\u27bf\u2b50\u2b55"
    "\U0001f000-\U0001f3fa\U0001f400-\U0001faff][\U0001f3fb-\U0001f3ff]?"
)
# A single Latin letter and Han that make one word; rjieba's dictionary has few of them, and in capitals only.
_LETTER_AND_HAN = r"t恤|u盘|k金|k歌|b超|x光|[a-z](?:领|型(?!号)|字(?![母体])|杯(?!子)|罩杯)"
_TOKEN = re.compile(
    rf"[{HAN}]+"  # Chinese, for rjieba
    rf"|(?<![^\W_{HAN}])(?:{_LETTER_AND_HAN})"
    rf"|\d+(?:[.,]\d+)+{_LETTER}*%?"  # 3.5mm, 1,000ml, 12.5%
    rf"|[a-z0-9]{{1,2}}&[a-z0-9]{{1,2}}(?!{_LETTER})"  # h&m, at&t
    rf"|{_LETTER}+(?:[-'_]{_LETTER}+)*(?:%|\+\+)?"  # wi-fi, women's, 128gb, 100%, c++
    rf"|{EMOJI}"
)
_SPELLED = re.compile(rf"{_LETTER}")
_DIGIT_JOINERS = ".,"


def normalise(text: str, max_characters: int = MAX_CHARACTERS) -> str:
    """The one spelling of a text: doing it twice changes nothing.

    Invisible characters, HTML tags and entities go; width and compatibility forms (NFKC) and case fold; any run of
    blanks and line ends is one blank; curly apostrophes are straight; traditional Chinese becomes simplified
    (OpenCC `t2s`, which knows that 乾 of 乾隆 stays).

    Args:
        text: as it came.
        max_characters: what is longer is cut there, before and after.

    >>> normalise("<b>Ｗｉ－Ｆｉ&nbsp;６</b>  路由器，後來"), normalise("O’MIN &amp; Co")
    ('wi-fi 6 路由器,后来', "o'min & co")
    """
    text = text[:max_characters]
    text = text.lower() if text.isascii() and text.isprintable() else _fold(text)
    if "&" in text:
        text = _without_entities(text)
    if "<" in text:
        text = _without_tags(text)
    text = " ".join(text.split())[:max_characters].rstrip()
    return text if text.isascii() else _simplified(text, max_characters)


def _fold(text: str) -> str:
    """Invisible characters gone, NFKC and case folded, until nothing changes (a second round is rare)."""
    while True:
        folded = unicodedata.normalize("NFKC", _visible(text).casefold())
        if folded == text:
            return text
        text = folded


def one_width(text: str) -> str:
    """A text without invisible characters, in one width (NFKC); letters keep their case, and lines their ends.

    >>> one_width("＃Ｏo\u200btd＃")
    '#Ootd#'
    """
    return text if text.isascii() and text.isprintable() else unicodedata.normalize("NFKC", _visible(text))


def _visible(text: str) -> str:
    visible = _INVISIBLE.sub("", text).replace("‘", "'").replace("’", "'")
    return _NO_LETTERS.sub(_with_fewer_marks, visible) if len(visible) > _SHORT else visible


def _with_fewer_marks(match: re.Match[str]) -> str:
    kept, marks = [], 0
    for sign in match[0]:
        marks = marks + 1 if unicodedata.combining(sign) else 0
        if marks <= _MOST_MARKS:
            kept.append(sign)
    return "".join(kept)


def _without_entities(text: str) -> str:
    """Decode `&amp;` and its like, twice because exports escape twice; what then still reads as one is blanked."""
    for _ in range(2):
        decoded = _ENTITY.sub(_decoded, text)
        if decoded == text:
            return text
        text = _fold(decoded)
    return _ENTITY.sub(lambda match: match[0] if _decoded(match) == match[0] else " ", text)


def _decoded(match: re.Match[str]) -> str:
    return html.unescape(match[0])


def _without_tags(text: str) -> str:
    """Blank out tags, comments, scripts and styles. A `<` that could still open a tag goes too: linear and final."""
    for start, end in _HIDDEN:
        if start in text:
            text = _without_between(text, start, end)
    return _OPEN_TAG.sub(" ", _TAG.sub(" ", text))


def _without_between(text: str, start: str, end: str) -> str:
    kept, at = [], 0
    while (begin := text.find(start, at)) >= 0 and (stop := text.find(end, begin)) >= 0:
        kept.append(text[at:begin])
        at = stop + len(end)
    return " ".join([*kept, text[at:]])


def _simplified(text: str, max_characters: int) -> str:
    """Simplified Chinese. Again until nothing changes: a phrase once converted can end another phrase's exception."""
    convert = _converter()
    while (converted := convert(text)[:max_characters].rstrip()) != text:
        text = converted
    return text


@lru_cache(maxsize=1)
def _converter() -> Callable[[str], str]:
    import opencc

    converter: Callable[[str], str] = opencc.OpenCC("t2s").convert
    return converter


@dataclass(frozen=True)
class WordSplitter:
    """Cuts texts into words: lower-case strings without blanks around them and without punctuation.

    Chinese is cut by rjieba; Latin words, numbers with their units (`5g`, `128gb`, `3.5mm`), `wi-fi`, `h&m` and `t恤`
    stay whole; an emoji is a word.

    A custom word that stands in a text comes out whole: blanks, brackets, apostrophes and mixed scripts included.
    Where two overlap the longest wins; of equal ones the one that begins where rjieba would begin a word (新款|古币 and
    not 新|款古|币); then the leftmost.
    Where a custom word begins or ends with a letter or digit of a script that writes blanks, it is found only at a
    word's boundary: `or` does not cut `order`, nor `360` `1360` or `3.60`. One that begins or ends in Chinese is found
    anywhere. Words of one character are left to rjieba and the rules above: they cannot be split, and 款 as a brand
    must not tear every 新款 apart. Entries with no letter, digit or emoji are no words and are passed over.

    Args:
        custom_words: the shop's own words and brands, in any spelling; they are normalised here.

    >>> WordSplitter(("安利（Amway）", "Five Trees")).split("新款安利(AMWAY)纯棉T恤，five  trees 128GB👍")
    ['新款', '安利(amway)', '纯棉', 't恤', 'five trees', '128gb', '👍']
    """

    custom_words: tuple[str, ...] | frozenset[str] = ()

    @cached_property
    def known(self) -> frozenset[str]:
        """The custom words as they are looked for: normalised, of two characters or more."""
        words = (normalise(word) for word in self.custom_words)
        return frozenset(word for word in words if len(word) > 1 and _TOKEN.search(word))

    @cached_property
    def _begins(self) -> frozenset[str]:
        return frozenset(word[:2] for word in self.known)

    @cached_property
    def _lengths(self) -> dict[str, tuple[int, ...]]:
        """The lengths of the custom words that begin with these three characters, or are these two."""
        lengths: dict[str, set[int]] = {}
        for word in self.known:
            lengths.setdefault(word[:3], set()).add(len(word))
        return {start: tuple(found) for start, found in lengths.items()}

    def split(self, text: str) -> list[str]:
        """The words of one text, in order. The text is normalised first."""
        text = normalise(text)
        if not self.custom_words:
            return _plain_words(text)
        words: list[str] = []
        at = 0
        for begin, end in self._found(text):
            words += _plain_words(text[at:begin])
            words.append(text[begin:end])
            at = end
        return words + _plain_words(text[at:])

    def split_many(self, texts: Iterable[str]) -> list[list[str]]:
        """The words of each text: `split` over all of them."""
        return [self.split(text) for text in texts]

    def _found(self, text: str) -> list[tuple[int, int]]:
        """Where custom words stand, from the left, without overlaps."""
        begins, lengths, known, last = self._begins, self._lengths, self.known, len(text)
        # Two characters, then a third, rule out nearly every place at the price of a look-up each.
        found = [
            (begin, begin + length)
            for begin in range(last - 1)
            if text[begin : begin + 2] in begins
            for start in (2, 3)
            if begin + start <= last
            for length in lengths.get(text[begin : begin + start], ())
            if begin + length <= last
            and text[begin : begin + length] in known
            and _stands_alone(text, begin, begin + length)
        ]
        if any(after[0] < before[1] for before, after in pairwise(found)):
            return _without_overlaps(found, text)
        return found


def _without_overlaps(found: list[tuple[int, int]], text: str) -> list[tuple[int, int]]:
    """Of places that overlap the longest, then the one that begins where rjieba begins a word, then the leftmost."""
    word_starts = {0, *accumulate(len(word) for word in _chinese()(text))}
    taken = bytearray(len(text))
    kept = []
    for begin, end in sorted(found, key=lambda place: (place[0] - place[1], place[0] not in word_starts, place[0])):
        if taken.find(1, begin, end) < 0:
            taken[begin:end] = b"\x01" * (end - begin)
            kept.append((begin, end))
    return sorted(kept)


def _stands_alone(text: str, begin: int, end: int) -> bool:
    """Whether the word text[begin:end] is not a piece of a longer word in letters or of a longer number."""
    before, after = text[max(0, begin - 2) : begin], text[end : end + 2]
    return not (_joined(before[::-1], text[begin]) or _joined(after, text[end - 1]))


def _joined(outside: str, edge: str) -> bool:
    """Whether the character at a word's edge runs on into what stands outside, read away from the word."""
    if not outside or not _SPELLED.match(edge):
        return False
    if _SPELLED.match(outside):
        return True
    return edge.isdigit() and outside[0] in _DIGIT_JOINERS and outside[1:].isdigit()


def _plain_words(text: str) -> list[str]:
    """Words of normalised text without regard to custom words."""
    if not text:
        return []
    cut = _chinese()
    words: list[str] = []
    for piece in _TOKEN.findall(text):
        first = piece[0]
        if "\u3400" <= first <= "\u9fff" or first >= "\U00020000" or first in "\u3005\u3007":
            words += cut(piece)
        else:
            words.append(piece)
    return words


@lru_cache(maxsize=1)
def _chinese() -> Callable[[str], list[str]]:
    import rjieba

    cut: Callable[[str], list[str]] = rjieba.cut
    return cut
