"""A post taken apart: plain text for models, hashtags, mentions, emoji.

Every pattern here reads a text once: the time goes with its length, and no more of it is read than of any text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from tagloom.data.words.text import EMOJI, HAN, MAX_CHARACTERS, WordSplitter, one_width

_LONGEST_HASHTAG = 60
# Chinese ends a link, where no blank does.
_LINK = re.compile(rf"(?:https?://|www\.|\bt\.cn/)[^\s{HAN}。、】》“”]+", re.I)
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,20}){1,4}")
_REPOST = re.compile(r"//(?=@)|\bRT(?=[\s:]*@)|(?:转发|转自|回复|来自|via)(?=[\s:：]*@)")
# A name ends with a blank or a mark, in Chinese too; what follows a colon is what the other person said.
_MENTION = re.compile(r"(?<![a-zA-Z0-9])@([\w\-·]{1,40})[:：]?")
_STICKER = r"\[(?:[\w\u4e00-\u9fff]{1,8}R|%s)\]"
_TOPIC = re.compile(r"\[(?:话题|超话)\]")
# The form of Weibo has a mark on both sides, that of nearly all others one in front.
_PAIR = re.compile(rf"#([^#\s]{{1,{_LONGEST_HASHTAG}}})#")
_SPACED_PAIR = re.compile(rf"#([\w{HAN}][^#\n]{{0,{_LONGEST_HASHTAG}}}[\w{HAN}])#(?!\w)")
_OPEN = re.compile(rf"#((?!\d+(?!\w))[\w{HAN}][\w&'·\-]{{0,{_LONGEST_HASHTAG}}}|(?:{EMOJI}){{1,8}})")
_EMOJI = re.compile(EMOJI)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z])(?=\d{2})")
# A word alone, not a part of one such as abbb2; what runs into Chinese is one.
_WORD = re.compile(r"(?i)(?<![a-z0-9_])[a-z]+(?![a-z0-9_])")
_STRETCHED = re.compile(r"(?i)([a-wyz])\1{2}")
_RUN = re.compile(r"(?i)([a-z])\1{2,}")
_HAN_RUN = re.compile(rf"([{HAN}])\1{{2,}}|([{HAN}]{{2,4}}?)\2{{2,}}")
_MARK_RUN = re.compile(r"([^\w\s])\1+")
_LAUGHTER = re.compile(r"[哈嘿呵嘻]{2,}|\b(?:h{3,}|(?:ha|he){2,}h?|23{2,})\b", re.I)
_SENTENCE = re.compile(r"(?<=[。！？；!?;])\s*|(?<=[.…~])\s+|[\r\n]+")
_BLANK = re.compile(r"\s")
# C#, &#39;, page/#top: no hashtags.
_RUNS_ON = re.compile(r"[a-zA-Z0-9&/]")
_BLANKS = re.compile(r"[^\S\n]+")


@dataclass(frozen=True)
class Post:
    """A post's parts.

    Args:
        plain: the text for models: no links, mentions, emoji, stickers or marks of platforms; hashtags as words; slang
            in plain words; a line for each line.
        hashtags: as they were written, without their marks, each once.
        mentions: the names behind @, each once.
        emoji: each once.
    """

    plain: str
    hashtags: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    emoji: tuple[str, ...] = ()

    def passages(self, characters: int = 100, most: int = 40) -> tuple[str, ...]:
        """The plain text in runs of whole sentences.

        Args:
            characters: a run ends with the sentence that makes it so long.
            most: more sentences than make so many runs are joined to longer ones.
        """
        enough = max(characters, len(self.plain) // most + 1)
        runs: list[str] = []
        for sentence in filter(str.strip, _SENTENCE.split(self.plain)):
            if runs and len(runs[-1]) < enough:
                runs[-1] += f" {sentence.strip()}"
            else:
                runs.append(sentence.strip())
        return tuple(runs)


def read_post(text: str) -> Post:
    """Take a post apart.

    Args:
        text: as it came; what is beyond `MAX_CHARACTERS` is not read.

    >>> post = read_post("#通勤穿搭# 这条裙子绝绝子😍 sooo good #OfficeLook @小美 http://t.cn/A6")
    >>> post.plain
    '通勤穿搭 这条裙子非常好 so good Office Look'
    >>> post.hashtags, post.mentions, post.emoji
    (('通勤穿搭', 'OfficeLook'), ('小美',), ('😍',))
    """
    words = _words()
    text = one_width(text[:MAX_CHARACTERS])[:MAX_CHARACTERS]
    text = _TOPIC.sub("", _MAIL.sub(" ", _LINK.sub(" ", text)))
    text = words.platform.sub(" ", _REPOST.sub(" ", text))
    mentions = _each_once(found[1] for found in _MENTION.finditer(text))
    text = _MENTION.sub(" ", text)
    text, hashtags = _without_hashtags(text)
    emoji = _each_once([found[0] for found in _EMOJI.finditer(text)] + _EMOJI.findall(" ".join(hashtags)))
    text = _EMOJI.sub(" ", text)
    return Post(_tidy(words.plain(_shortened(text))), hashtags, mentions, emoji)


def hashtag_words(hashtag: str) -> str:
    """A hashtag as the words that it was made of.

    >>> hashtag_words("SummerDress2026"), hashtag_words("office_look"), hashtag_words("iPhone"), hashtag_words("显瘦")
    ('Summer Dress 2026', 'office look', 'iPhone', '显瘦')
    """
    # One small letter in front is a name's, not a word's: iPhone, eBay.
    parted = hashtag if re.match(r"[a-z][A-Z]", hashtag) else _CAMEL.sub(" ", hashtag)
    return " ".join(parted.replace("_", " ").split())


def _without_hashtags(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with its hashtags as words, and the hashtags.

    `#a#b#` is a and then text, `#a#b` too, but `#a#b#c` are three: between blanks an even number of marks stand in
    pairs.
    """
    kept: list[str] = []
    found: list[str] = []
    at = run_ends = 0
    paired = False
    while (mark := text.find("#", at)) >= 0:
        if mark >= run_ends:
            blank = _BLANK.search(text, mark)
            run_ends = blank.start() if blank else len(text)
            begins = max(text.rfind(sign, at, mark) for sign in " \n\t") + 1
            paired = text.count("#", max(begins, at), run_ends) % 2 == 0
        match = None
        if mark == at or not _RUNS_ON.match(text[mark - 1]):
            match = (_PAIR if paired else _SPACED_PAIR).match(text, mark) or _OPEN.match(text, mark)
        kept.append(text[at:mark])
        at = match.end() if match else mark + 1
        if match:
            found.append(match[1])
        kept.append(f" {hashtag_words(match[1])} " if match else "#")
    return "".join([*kept, text[at:]]), _each_once(found)


def _shortened(text: str) -> str:
    text = _LAUGHTER.sub(" ", text)
    text = _HAN_RUN.sub(lambda run: run[1] or run[2], text)
    return _MARK_RUN.sub(r"\1", _WORD.sub(_unstretched, text))


def _unstretched(match: re.Match[str]) -> str:
    """Three times and more become one or two; xxxl and aaa are sizes."""
    if len(set(match[0].casefold())) == 1 or not _STRETCHED.search(match[0]):
        return match[0]
    double = _RUN.sub(r"\1\1", match[0])
    return double if double.casefold() in _words().double else _RUN.sub(r"\1", match[0])


def _tidy(text: str) -> str:
    lines = (_BLANKS.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _each_once(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class _Words:
    """The word list slang.toml, ready for use."""

    plain: Callable[[str], str]
    platform: re.Pattern[str]
    double: frozenset[str]
    chatter: tuple[str, ...]
    empty: tuple[str, ...]


def chatter() -> tuple[str, ...]:
    """Lines about no product at all, Chinese and English."""
    return _words().chatter


@lru_cache(maxsize=1)
def chatter_words() -> frozenset[str]:
    """The words of those lines and others that say nothing of a product."""
    return frozenset(word for line in (*chatter(), *_words().empty) for word in WordSplitter().split(line))


@lru_cache(maxsize=1)
def _words() -> _Words:
    text = (resources.files("tagloom.data.words") / "slang.toml").read_text("utf-8")
    told = tomllib.loads(text)
    means = {slang.casefold(): plain for slang, plain in told["means"].items()}
    means |= {word.casefold(): " " for word in told["filler"]["words"]}
    pattern = re.compile("|".join(_alternative(slang) for slang in sorted(means, key=len, reverse=True)), re.I)
    stickers = _STICKER % "|".join(map(re.escape, told["platform"]["stickers"]))
    phrases = sorted(map(re.escape, told["platform"]["phrases"]), key=len, reverse=True)
    return _Words(
        # Ignoring case, ı and İ count as i, but they are other letters.
        lambda text: pattern.sub(lambda found: means.get(found[0].casefold(), found[0]), text),
        re.compile("|".join([stickers, *phrases])),
        frozenset(told["stretched"]["double"]),
        tuple(told["chatter"]["lines"]),
        tuple(told["chatter"]["words"]),
    )


def _alternative(slang: str) -> str:
    """A piece of slang as a pattern: Latin letters and digits at its ends must not run on."""
    before = "(?<![a-z0-9])" if slang[0].isascii() and slang[0].isalnum() else ""
    after = "(?![a-z0-9])" if slang[-1].isascii() and slang[-1].isalnum() else ""
    return f"{before}{re.escape(slang)}{after}"
