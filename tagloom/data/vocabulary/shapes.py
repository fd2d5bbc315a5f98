"""What can be told from a tag's look alone: links, numbers, sentences, shelf-marks."""

from __future__ import annotations

import re
from collections.abc import Set

from tagloom.config import TagSettings
from tagloom.data.vocabulary.merge import spelling_key
from tagloom.data.vocabulary.normal import attribute_of, has_han

_LINK = re.compile(
    r"https?:|ftp:|www\.|[\w.+-]+@[\w-]+\.[a-z]|\b[\w-]+\.(com|net|org|cn|io|co|info|shop|top|tv|me|html?)(/|\b)", re.I
)
_NUMBER = re.compile(r"[\d\s.,:;/+\-~x*×年月日号#()'%$€£¥元块]*\d[\d\s.,:;/+\-~x*×年月日号#()'%$€£¥元块]*")
_SENTENCE = re.compile(r"[。！？；]|[!?;](\s|$)|\w{4,}\.\s+\S+\s+\S+\s+\S+")
# A comma between Chinese words divides clauses, not the parts of a name.
_CLAUSES = re.compile(r"[\u4e00-\u9fff]{2,},[\u4e00-\u9fff]{2,}")
_WORDS = re.compile(r"[\s\-_/]+")

_DOING = (
    r"(re)?(read|reading|reads?|buy|get|own|review|finish(ed)?|find|borrow|try|purchase|order|download|return|sell"
    r"|listen|watch|play|sort|check|check out|look (at|for|into))"
)
_MEANING = (
    r"(to|want to|must|should|need to|plan to|will|did ?n?o?t|have ?n?o?t|can ?t|could ?n?o?t|do ?n?o?t|never|not"
    r"|yet to|wish to|still to|going to|about to|already)"
)
_WHEN = (
    r"(in|for|as|with|at|by|on|before|after|during|again|more|to|the|and|it|once|twice|already|long|while|when|since"
    r"|this|but|not|next|now|soon|later|until|own)"
)
_I_DO = (
    r"(own|have|read|want|need|love|loved|bought|like|liked|hate|hated|finished|got|gave"
    r"|(d|am|will|plan|can|could|never|still|already|did|do) \w+)"
)
_PLACES = (
    r"(e?books?|library|(book)?shel(f|ves)|list|collection|wish ?list|kindle|nook|e ?reader|bookcase|tbr|pile|desk"
    r"|purchases?|orders?|cart)"
)
_HOLDING = r"(owned|bought|purchased|borrowed|lent|loaned|sold|donated|dnf|tbr|wish ?list|paused|reread|to do)"
_SHELF_MARKS = re.compile(
    "|".join(
        (
            # What somebody did or means to do, not what the thing is.
            rf"{_MEANING}( to| not| yet)? {_DOING}( .*)?",
            rf".* (to {_DOING}|{_HOLDING}|unread|i own|we own)",
            r"(re)?read(s|ing)?( in| during| before| since)? ?(19|20)?\d\d.*",
            rf"read {_WHEN} ?.*",
            r"((19|20)\d\d|\d\ds?) ?(re)?(reads?|reading|books?|challenge|reading challenge|list|favou?rites|tbr)\b.*",
            r"(19|20)\d\d new( .*)?|new (19|20)\d\d",
            r".*\b(19|20)\d\d (reads?|reading|challenge|books?|list|tbr)",
            r"(?!.*\b(quick|easy|light|beach|summer|holiday|fun|good|great|fast|short|long|cozy|must) read).* read",
            rf"(.* )?(i|ive|we|weve) {_I_DO}\b.*",
            rf"my( own| personal| very own)?( \w+)? ({_PLACES}|stuff|things?|reads?|reading|favou?rites?|favs?|faves?)",
            rf"(currently )?(on|in) (my|the|our) .*{_PLACES}",
            rf"{_HOLDING}( .*)?|(own|unread|abandoned|finished|unfinished|wanted|have|had)",
            r"own (it|to|but|and|e?books?|a|the|this|in|on|not|(un)?read|copy|hard|paper|physical|digital|signed)\b.*",
            r"(currently|recently|did not|didnt|gave up|giving up|started|stopped) .*|gave up",
            r"(\d|one|two|three|four|five|half|zero) ?(and a half )?(stars?|stelle|sterne|etoiles|estrellas)( .*)?",
            r"((all time|absolute|old|new) )?(favou?rites?|faves?|favs?|best ever|loved it|hated it|liked it)( .*)?",
            r".* (favou?rites?|faves?|favs?)",
        )
    ),
    re.I,
)
_CLITICS = re.compile(r"(?<=[a-z])[\s\-_']+(?=(?:s|t|ve|m)(?:[\s\-_]|$))")
_CHINESE_MARKS = re.compile(
    r"(想|已|在|未|待|正在|准备|打算)(读|看|买|入|听|玩|购|阅读|购买|收藏|下单)(过|了|的)?(书|的书|清单|列表)?"
    r"|(读|看|买|听)(过|完)(了|的)?(书)?|我的.{0,6}|.{0,4}(收藏夹|购物车|愿望单|书架|待读)"
    r"|(19|20)\d\d年?[春夏秋冬]{0,2}季?(新款|新品|上新|爆款|热销|潮款)"
)


def dropped_for(shown: str, form: str, settings: TagSettings, stop: Set[str]) -> str:
    """Why a tag cannot be one, judging by its look: `dropped: ...`, or empty if it can.

    Args:
        shown: the tag's `display_form`.
        form: its `normal_form`.
        settings: the limits for sentences.
        stop: `stop_keys` of the tags that are never wanted.

    >>> dropped_for("www.shop.cn", "www.shop.cn", TagSettings(), frozenset())
    'dropped: link'
    """
    attribute = attribute_of(form)
    value = form.rpartition("=")[2] if attribute else form
    if not any(map(_says_something, value)):
        return "dropped: empty"
    if _LINK.search(shown):
        return "dropped: link"
    if is_stopped(form, stop):
        return "dropped: stop-tag"
    # A number is a fair value of an attribute (a size), but says nothing alone.
    if not attribute and (_NUMBER.fullmatch(value) or (value.isascii() and not any(map(str.isalpha, value)))):
        return "dropped: number"
    if not attribute and is_shelf_mark(value):
        return "dropped: shelf-mark"
    too_many = not attribute and len(_words(_CLITICS.sub("", value))) > settings.max_words
    if too_many or len(value) > settings.max_characters:
        return "dropped: sentence"
    return "dropped: sentence" if _SENTENCE.search(value) or (not attribute and _CLAUSES.search(value)) else ""


def is_shelf_mark(form: str) -> bool:
    """Whether a tag says what a person did or wants with the thing ("to read", "read in 2015"), not what it is."""
    if has_han(form):
        return _CHINESE_MARKS.fullmatch(form) is not None
    return _SHELF_MARKS.fullmatch(" ".join(_words(_CLITICS.sub("", form)))) is not None


def stop_keys(words: Set[str]) -> frozenset[str]:
    """The words of a stop list in the form in which `is_stopped` looks them up; `name=*` is kept as it is."""
    return frozenset(word if word.endswith("=*") else spelling_key(word) for word in words)


def is_stopped(form: str, stop: Set[str]) -> bool:
    """Whether a tag, its value (`颜色=其他`), or its whole attribute (`货号=*`) is on the stop list."""
    attribute = attribute_of(form)
    if attribute and (f"{attribute}=*" in stop or spelling_key(form.removeprefix(f"{attribute}=")) in stop):
        return True
    return spelling_key(form) in stop


def _words(value: str) -> list[str]:
    return [word for word in _WORDS.split(value) if word]


def _says_something(character: str) -> bool:
    # Letters, digits, and pictures: an emoji is a tag on social platforms.
    return character.isalnum() or ord(character) >= 0x1F000 or 0x2600 <= ord(character) <= 0x27BF
