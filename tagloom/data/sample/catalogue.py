"""The sample shop's words, read from `words/*.toml` and made ready for fast writing.

Each family of goods is a file: brands, kinds, attributes with the ways to say each value, values that never go
together, and rules that plant occasion tags. Brands are invented and every sentence is our own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from tagloom.data.sample.dirt import CleanTag, raw_forms
from tagloom.errors import TagloomError

FAMILIES = ("clothes", "phones", "cameras", "computers", "food", "beauty", "home", "toys", "bags")
LEVELS = ("平价", "中端", "高端")
_UNTAGGED = {"中端"}  # a shop says what is cheap and what is dear, not what lies between
_COMMON_WEIGHT = 12  # how often a value's first neighbour stands in the urn from which values are drawn

Word = str
Masks = tuple[int, ...]  # bits of values; a condition holds when each mask shares a bit with the product


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an attribute, with the ways to say it for one kind of product."""

    name: str
    english: str
    attribute: str
    fact: str  # `颜色=红色`, as it stands in an attribute cell
    fact_en: str
    before: bool  # in a title: before the noun or after it
    tagged: bool
    stated: float  # share of products whose description says it
    bit: int
    titles: tuple[Word, ...]
    clauses: tuple[str, ...]
    clauses_en: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Occasion:
    """A tag that follows from attributes: `any` of the conditions, each a set of masks that must all be met."""

    name: str
    english: str
    conditions: tuple[Masks, ...]
    titles: tuple[Word, ...]
    clauses: tuple[str, ...]
    clauses_en: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Brand:
    """An invented brand with its price level and its opening sentences for one kind."""

    name: str
    english: str
    level: Value
    openers: tuple[str, ...]
    openers_en: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """One kind of product (a phone case) with everything needed to write any number of them."""

    name: str
    english: str
    family: str
    path: str
    measure: str
    nouns: tuple[Word, ...]
    models: tuple[str, ...]
    weight: int
    price: int  # what a usual one costs
    brands: tuple[Brand, ...]
    urns: tuple[tuple[Value, ...], ...]  # one per attribute; a common value stands in it more often
    never: tuple[Masks, ...]
    occasions: tuple[Occasion, ...]
    closers: tuple[str, ...]
    closers_en: tuple[str, ...]
    queries: tuple[str, ...]
    follow_ups: tuple[str, ...]  # kinds that buyers of this one buy next


@dataclass(frozen=True)
class Catalogue:
    """All kinds, the common phrases, and every tag with its raw forms."""

    kinds: tuple[Kind, ...]
    order: tuple[int, ...]  # product number -> kind, by position modulo its length
    tags: dict[str, CleanTag]
    forms: dict[str, tuple[str, ...]]
    english: dict[str, str]  # Chinese tag -> its English twin
    dirt: dict[str, Any]
    noise: tuple[str, ...]
    noise_en: tuple[str, ...]

    @property
    def merges(self) -> dict[str, str]:
        """Each raw form and the clean tag that it means (a clean name means itself)."""
        raw = {form: name for name, forms in self.forms.items() for form in forms}
        return raw | {name: name for name in self.tags}


@cache
def catalogue() -> Catalogue:
    """Read the word files once and make them ready."""
    common = _read("common")
    kinds: list[Kind] = []
    tags: list[tuple[CleanTag, CleanTag]] = []
    for name in FAMILIES:
        family = _read(name)
        tags += _family_tags(family, common)
        kinds += [_kind(kind, family, common) for kind in family["kinds"]]
    known: dict[str, CleanTag] = {}
    for tag in (tag for pair in tags for tag in pair):
        before = known.get(tag.name, tag)
        known[tag.name] = CleanTag(tag.name, tuple(dict.fromkeys(before.aliases + tag.aliases)))
    return Catalogue(
        kinds=tuple(kinds),
        order=_order(kinds),
        tags=known,
        forms=raw_forms(known.values(), tuple(common["dirt"]["emoji"])),
        english={chinese.name: english.name for chinese, english in tags},
        dirt=common["dirt"],
        noise=tuple(common["title_noise"]),
        noise_en=tuple(common["title_noise_en"]),
    )


def _read(name: str) -> dict[str, Any]:
    text = (resources.files("tagloom.data.sample") / "words" / f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)


def _order(kinds: list[Kind]) -> tuple[int, ...]:
    """A fixed mixture of kinds by weight, so that the kind of product number n is known without making it."""
    slots = [ix for ix, kind in enumerate(kinds) for _ in range(kind.weight)]
    step = next(step for step in (37, 41, 43, 47, 53) if len(slots) % step)
    return tuple(slots[place * step % len(slots)] for place in range(len(slots)))


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split("|") if part)


def _values_of(attribute: dict[str, Any], common: dict[str, Any]) -> dict[str, list[str]]:
    if "use" in attribute:
        shared: dict[str, list[str]] = common["shared"][attribute["use"]]
        return shared
    return {name: row for name, row in attribute.items() if isinstance(row, list)}


def _family_tags(family: dict[str, Any], common: dict[str, Any]) -> Iterable[tuple[CleanTag, CleanTag]]:
    """Every tag of a family as a Chinese and an English one."""
    for name, kind in family["kinds"].items():
        yield CleanTag(name, tuple(kind["aliases"])), CleanTag(kind["en"][0], tuple(kind["aliases_en"]))
    for name, english, _ in family["brands"]:
        yield CleanTag(name), CleanTag(english)
    for attribute in family["attr"].values():
        if attribute.get("tag", True):
            yield from _tag_pairs(_values_of(attribute, common), 4)
    levels = {name: row for name, row in common["shared"]["价位"].items() if name not in _UNTAGGED}
    yield from _tag_pairs(levels, 4)
    yield from _tag_pairs({name: common["occasions"][name] for name in family["rules"]}, 4)


def _tag_pairs(rows: dict[str, list[str]], start: int) -> Iterable[tuple[CleanTag, CleanTag]]:
    for name, row in rows.items():
        aliases, aliases_en = ([*map(_split, row[start:]), (), ()])[:2]
        yield CleanTag(name, aliases), CleanTag(row[0], aliases_en)


def _kind(name: str, family: dict[str, Any], common: dict[str, Any]) -> Kind:
    words: dict[str, Any] = family["kinds"][name]
    fill = _filler(name, words)
    values = _kind_values(words, family, common, fill)
    bits = {(value.attribute, value.name): value.bit for urn in values for value in urn}
    levels = {value.name: value for value in values[-1]}
    return Kind(
        name=name,
        english=words["en"][0],
        family=family["name"][0],
        path=words["path"],
        measure=words["m"],
        nouns=tuple(words["nouns"]),
        models=tuple(family.get("models", ())) if words.get("model") else (),
        weight=words["weight"],
        price=words["price"],
        brands=tuple(_brand(row, family, common, levels, fill) for row in family["brands"]),
        urns=tuple(_urn(urn) for urn in values[:-1]),
        never=tuple(masks for text in family["never"] if (masks := _masks(text, bits))),
        occasions=_occasions(family, common, bits),
        closers=(*common["closers"], *family["closers"], *family["closers"]),
        closers_en=(*common["closers_en"], *family["closers_en"], *family["closers_en"]),
        queries=fill(family["queries"]),
        follow_ups=tuple(family.get("next", {}).get(name, ())),
    )


def _filler(name: str, words: dict[str, Any]) -> Any:
    """A function that puts a kind's name, measure word and brand into phrases."""
    noun, with_article, this = words["en"]

    def fill(phrases: Iterable[str], brand: str = "") -> tuple[str, ...]:
        places = {"k": words.get("say", name), "m": words["m"], "b": brand, "a": with_article, "The": this.capitalize()}
        return tuple(phrase.format(**places, kind=noun) for phrase in phrases)

    return fill


def _kind_values(words: dict[str, Any], family: dict[str, Any], common: dict[str, Any], fill: Any) -> list[list[Value]]:
    """The values of each attribute of a kind, the price level last; each value gets a bit of its own."""
    groups: list[list[Value]] = []
    bit = 1
    price = {"en": "price", "place": "", "use": "价位"}
    for name in [*words["attributes"], "价位"]:
        attribute = price if name == "价位" else family["attr"][name]
        rows = _values_of(attribute, common)
        allowed = words.get("only", {}).get(name, list(rows))
        if unknown := [value for value in allowed if value not in rows]:
            raise TagloomError(f"sample words: {name} has no values {unknown}")
        group = []
        for value in allowed:
            group.append(_value(value, rows[value], name, attribute, bit, fill))
            bit <<= 1
        groups.append(group)
    return groups


def _value(name: str, row: list[str], attribute: str, settings: dict[str, Any], bit: int, fill: Any) -> Value:
    return Value(
        name=name,
        english=row[0],
        attribute=attribute,
        fact=f"{attribute}={name}",
        fact_en=f"{settings['en']}={row[0]}",
        before=settings["place"] == "pre",
        tagged=settings.get("tag", True) and name not in _UNTAGGED,
        stated=settings.get("stated", 0.7),
        bit=bit,
        titles=_split(row[1]),
        clauses=fill(_split(row[2])),
        clauses_en=fill(_split(row[3])),
    )


def _urn(values: list[Value]) -> tuple[Value, ...]:
    return tuple(value for rank, value in enumerate(values) for _ in range(round(_COMMON_WEIGHT / (1 + 0.25 * rank))))


def _brand(
    row: tuple[str, str, int], family: dict[str, Any], common: dict[str, Any], levels: dict[str, Value], fill: Any
) -> Brand:
    name, english, level = row
    return Brand(
        name=name,
        english=english,
        level=levels[LEVELS[level - 1]],
        openers=fill((*common["openers"], *family["openers"], *family["openers"]), name),
        openers_en=fill((*common["openers_en"], *family["openers_en"], *family["openers_en"]), english),
    )


def _occasions(
    family: dict[str, Any], common: dict[str, Any], bits: dict[tuple[str, str], int]
) -> tuple[Occasion, ...]:
    found = []
    for name, conditions in family["rules"].items():
        masks = tuple(mask for text in conditions if (mask := _masks(text, bits)))
        row = common["occasions"][name]
        if masks:
            found.append(Occasion(name, row[0], masks, _split(row[1]), _split(row[2]), _split(row[3])))
    return tuple(found)


def _masks(text: str, bits: dict[tuple[str, str], int]) -> Masks:
    """`材质=雪纺/真丝 季节=冬季` -> a mask per condition; empty if this kind can never meet it."""
    masks = []
    for condition in text.split():
        attribute, names = condition.split("=")
        masks.append(sum(bits.get((attribute, name), 0) for name in names.split("/")))
    return tuple(masks) if all(masks) else ()
