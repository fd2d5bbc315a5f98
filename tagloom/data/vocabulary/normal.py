"""One spelling for what is the same string to a reader: the normal form of tags."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_KANA = re.compile(r"[\u3041-\u30ff]")
# Skin tones and variation selectors change how an emoji looks, not what it says.
_MODIFIERS = re.compile(r"[\ufe00-\ufe0f\U000e0100-\U000e01ef\U0001f3fb-\U0001f3ff]")
# NFKC would make letters of them: "NikeTM".
_SIGNS = re.compile("[®™©℠]")
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>")
_BETWEEN_HAN = re.compile(r"(?<=[\u4e00-\u9fff])\s+(?=[\u4e00-\u9fff])")
# Pictures beside words are decoration; alone they are the tag. (The last hash of "C#" belongs to it.)
_PICTURES = "\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_DECORATION = re.compile(f"^[{_PICTURES}\\s]+(?=.*\\w)|(?<=\\w)(?<![{_PICTURES}])[{_PICTURES}\\s]+$")
_HASHTAG = re.compile(r"^#+(?=.*[^#])(.*?)#+$|(?<=[\u4e00-\u9fff])#+$")
_BLANKS = re.compile(r"\s+")
_LEADING = " #＃\"'`‘’“”„‚´′″,;:!?¡¿*~^|\\/_-–—−=<>·•●★☆◆◇■□▲△→←、。，；：！？…"
_TRAILING = " \"'`‘’“”„‚´,;:!?*~^|\\/_-–—−=<·•●★☆◆◇■□▲△→←、。，；：！？…."
_BRACKETS = dict(zip("([{【《「『〈〔", ")]}】》」』〉〕", strict=True))
_CLOSING = frozenset(_BRACKETS.values())
_ROUNDS = 8


@lru_cache(maxsize=1 << 16)
def normal_form(raw: str) -> str:
    """The form in which equal tags are equal strings: `display_form` with case folded.

    An attribute's tag `name=value` keeps its `=`; both sides are brought to normal form. Empty means that nothing
    a reader could use is left. The normal form of a normal form is itself.

    >>> normal_form("  #Ｓｃｉ－Ｆｉ "), normal_form("顏色＝紅色"), normal_form("“R&amp;B”")
    ('sci-fi', '颜色=红色', 'r&b')
    """
    return _until_stable(display_form(raw), lambda text: _tidy(text.casefold()))


def display_form(raw: str) -> str:
    """A tag fit to be shown: NFKC, simplified characters, no hidden characters, outer marks or double blanks.

    >>> display_form(" 【純棉】  "), display_form("<b>Levi's®</b>")
    ('纯棉', "Levi's")
    """
    return _until_stable(raw, _tidy)


def has_han(text: str) -> bool:
    """Whether the text holds a Chinese character."""
    return _HAN.search(text) is not None


def attribute_of(tag: str) -> str:
    """The attribute's name in `name=value`; empty for a plain tag."""
    name, separator, value = tag.partition("=")
    return name if separator and value else ""


def _until_stable(text: str, step: Callable[[str], str]) -> str:
    # One step can lay bare the work of another (`&amp;amp;`, a mark between quotes): repeat until nothing moves.
    for _ in range(_ROUNDS):
        following = step(text)
        if following == text:
            return text
        text = following
    return text


def _tidy(text: str) -> str:
    while "&" in text and (plain := html.unescape(text)) != text:
        text = plain
    if "<" in text:
        text = _MARKUP.sub(" ", text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _SIGNS.sub("", text))
        text = _MODIFIERS.sub("", text)
        text = _simplified(text)
    if not text.isprintable():
        text = "".join(_visible(character) for character in text)
    text = _BLANKS.sub(" ", text)
    if not text.isascii():
        text = _DECORATION.sub("", _BETWEEN_HAN.sub("", text))
    name, separator, value = text.partition("=")
    if not separator:
        return _trim(text)
    name, value = _trim(name), _trim(value)
    return f"{name}={value}" if name and value else value


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cf", "Cs", "Co", "Cn"):
        return ""
    return " " if category in ("Cc", "Zl", "Zp", "Zs") else character


def _trim(text: str) -> str:
    before = None
    while before != text:
        before = text
        if text.endswith("#"):
            text = _HASHTAG.sub(r"\1", text.strip())
        bare = text.lstrip(_LEADING).rstrip(_TRAILING)
        # In front of a number these are part of it: -20, <1.
        sign = text[text.find(bare) - 1 : text.find(bare)] if bare[:1].isdigit() else ""
        text = sign + bare if sign and sign in "-<>" else bare
        # A dot in front of a letter is part of the name (.NET); any other is dirt.
        if text.startswith(".") and not (text[1:2].isascii() and text[1:2].isalpha()):
            text = text.lstrip(".")
        text = _unbracket(text)
    return text


def _unbracket(text: str) -> str:
    if text[:1] not in _BRACKETS and text[-1:] not in _CLOSING:
        return text
    for opening, closing in _BRACKETS.items():
        starts, ends = text.startswith(opening), text.endswith(closing)
        lonely = text.count(opening) + text.count(closing) == starts + ends
        if starts and lonely and (ends or closing not in text):
            text = text.removeprefix(opening).removesuffix(closing)
        elif ends and lonely and opening not in text:
            text = text.removesuffix(closing)
    return text


def _simplified(text: str) -> str:
    # Kana means Japanese: its characters are not traditional Chinese.
    if _HAN.search(text) is None or _KANA.search(text) is not None:
        return text
    return str(_converter()(text))


@lru_cache(maxsize=1)
def _converter() -> Callable[[str], str]:
    from opencc import OpenCC

    convert: Callable[[str], str] = OpenCC("t2s").convert
    return convert
