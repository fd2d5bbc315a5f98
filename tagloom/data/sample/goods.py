"""One product of the sample shop: drawn from its kind, then written in Chinese or English, then given dirty tags."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import NamedTuple

from tagloom.data.sample.catalogue import Brand, Catalogue, Kind, Masks, Occasion, Value

REGIONS = (
    "浙江",
    "广东",
    "江苏",
    "福建",
    "山东",
    "河南",
    "河北",
    "四川",
    "湖北",
    "湖南",
    "安徽",
    "江西",
    "上海",
    "北京",
    "重庆",
)
REGIONS_EN = ("Zhejiang", "Guangdong", "Jiangsu", "Fujian", "Shandong", "Henan", "Hebei", "Sichuan", "Hubei", "Hunan")
NOT_TAGS = ("货号", "条码", "发货地区", "上市时间")
_HAS_ATTRIBUTE, _IN_TITLE, _OCCASION_STATED = 0.92, 0.45, 0.75
_TAGGED, _CLEAN_FORM = 0.92, 0.62  # share of true tags that somebody typed; and typed as they should be
_POSSESSIVE = {"women": "Women's", "men": "Men's", "kids": "Kids'"}
_SENTENCE_ENDS_AT = 15  # characters; shorter clauses are joined by commas


class Goods(NamedTuple):
    """A product before it is put into words."""

    number: int
    kind: Kind
    brand: Brand
    values: tuple[Value, ...]
    occasions: tuple[Occasion, ...]
    model: str

    def tags(self, english: bool = False) -> list[str]:
        """Its true tags: kind, brand, attribute values, price level, occasions."""
        if english:
            values = [value.english for value in self.values if value.tagged]
            return [self.kind.english, self.brand.english, *values, *(one.english for one in self.occasions)]
        values = [value.name for value in self.values if value.tagged]
        return [self.kind.name, self.brand.name, *values, *(one.name for one in self.occasions)]


class Text(NamedTuple):
    """A written product; `stated` are those of its tags that title or description speak of."""

    title: str
    description: str
    stated: tuple[str, ...]


def draw(number: int, kind: Kind, rng: Random) -> Goods:
    """Draw brand and attribute values that can go together, and the occasions that follow from them."""
    random = rng.random
    brands = kind.brands
    brand = brands[int(random() ** 1.3 * len(brands))]  # the first brands are somewhat commoner
    while True:
        values = [urn[int(random() * len(urn))] for urn in kind.urns if random() < _HAS_ATTRIBUTE]
        values.append(brand.level)
        bits = 0
        for value in values:
            bits |= value.bit
        if not _meets(bits, kind.never):
            break
    occasions = tuple([one for one in kind.occasions if _meets(bits, one.conditions)])
    model = kind.models[int(random() * len(kind.models))] if kind.models else ""
    return Goods(number, kind, brand, tuple(values), occasions, model)


def _meets(bits: int, conditions: tuple[Masks, ...]) -> bool:
    """Whether one of the conditions holds: each of its masks shares a bit with the product's."""
    for masks in conditions:
        for mask in masks:
            if not bits & mask:
                break
        else:
            return True
    return False


def write_chinese(goods: Goods, shop: Catalogue, rng: Random) -> Text:
    """A title and a description of two to five sentences."""
    random = rng.random
    kind, brand = goods.kind, goods.brand
    stated = [kind.name]
    before, after, clauses = "", "", []
    for value in goods.values:
        titles = value.titles
        said = False
        if titles and random() < _IN_TITLE:
            word = titles[int(random() * len(titles))]
            said = True
            if value.before:
                before += word
            else:
                after += " " + word
        if random() < value.stated:
            said = True
            clauses.append(value.clauses[int(random() * len(value.clauses))])
        if said and value.tagged:
            stated.append(value.name)
    last = ""
    if clauses and clauses[-1] in goods.values[-1].clauses:
        last = clauses.pop() + "。"  # what is said of the price stands by itself
    for occasion in goods.occasions:
        if random() < _OCCASION_STATED:
            stated.append(occasion.name)
            last += occasion.clauses[int(random() * len(occasion.clauses))] + "。"
            break
    noun = kind.nouns[int(random() * len(kind.nouns))]
    if before[-1:].isascii() and noun[0].isascii():
        before += " "
    noise = shop.noise[int(random() * len(shop.noise))] + " " if random() < 0.25 else ""
    named = bool(goods.model) or random() < 0.9
    if named:
        stated.append(brand.name)
    head = brand.name + goods.model if named else goods.model
    title = f"{noise}{head} {before}{noun}{after}".replace("  ", " ")
    opener = brand.openers[int(random() * len(brand.openers))] + "。" if random() < 0.75 else ""
    if brand.name in opener and not named:
        stated.append(brand.name)
    closer = kind.closers[int(random() * len(kind.closers))] + "。" if random() < 0.4 else ""
    return Text(title.strip(), opener + _sentences(clauses, rng) + last + closer, tuple(stated))


def _sentences(clauses: list[str], rng: Random) -> str:
    """Join clauses in a new order; short ones share a sentence."""
    start = int(rng.random() * len(clauses)) if clauses else 0
    parts = []
    length = 0
    for clause in clauses[start:] + clauses[:start]:
        parts.append(clause)
        length += len(clause)
        if length > _SENTENCE_ENDS_AT:
            parts.append("。")
            length = 0
        else:
            parts.append("，")
    if parts:
        parts[-1] = "。"
    return "".join(parts)


def write_english(goods: Goods, shop: Catalogue, rng: Random) -> Text:
    """The English twin's title and description."""
    random = rng.random
    kind, brand = goods.kind, goods.brand
    stated = [kind.english, brand.english]
    before, after, sentences = [brand.english], list[str](), list[str]()
    if goods.model:
        before.append(goods.model)
    if random() < 0.75:
        sentences.append(brand.openers_en[int(random() * len(brand.openers_en))])
    for value in goods.values:
        said = False
        if value.titles and random() < _IN_TITLE:
            said = True
            (before if value.before else after).append(_POSSESSIVE.get(value.english) or _title_case(value.english))
        if random() < value.stated:
            said = True
            sentences.append(value.clauses_en[int(random() * len(value.clauses_en))])
        if said and value.tagged:
            stated.append(value.english)
    for occasion in goods.occasions:
        if random() < _OCCASION_STATED:
            stated.append(occasion.english)
            sentences.append(occasion.clauses_en[int(random() * len(occasion.clauses_en))])
            break
    if random() < 0.3:
        after.append(shop.noise_en[int(random() * len(shop.noise_en))])
    if random() < 0.3:
        sentences.append(kind.closers_en[int(random() * len(kind.closers_en))])
    title = " ".join([*before, _title_case(kind.english)])
    return Text(
        ", ".join([title, *after]), " ".join(sentence + "." for sentence in sentences), tuple(dict.fromkeys(stated))
    )


def _title_case(text: str) -> str:
    return " ".join(word[:1].upper() + word[1:] for word in text.split(" "))


def raw_tags(goods: Goods, shop: Catalogue, rng: Random, english: bool = False) -> list[str]:
    """The tags as a shop would have typed them: forgotten, misspelt, doubled, and mixed with what is no tag."""
    random = rng.random
    forms = shop.forms
    raw = []
    for tag in goods.tags(english):
        chance = random()
        if chance > _TAGGED:
            continue
        if chance < _CLEAN_FORM or not (others := forms[tag]):
            raw.append(tag)
        else:
            raw.append(others[int(random() * len(others))])
            if chance > 0.9:
                raw.append(tag)  # the same tag twice, in two spellings
    dirt = shop.dirt
    raw.append(dirt["everywhere"])
    stop = dirt["stop_en"] if english else dirt["stop"]
    while random() < 0.45:
        raw.append(stop[int(random() * len(stop))])
    if random() < 0.2:
        raw.append(_rubbish(goods, dirt, rng, english))
    turn = int(random() * len(raw))
    return raw[turn:] + raw[:turn]


def _rubbish(goods: Goods, dirt: dict[str, list[str]], rng: Random, english: bool) -> str:
    number = int(rng.random() * 5)
    if number == 0:
        sentences = dirt["sentences_en"] if english else dirt["sentences"]
        return sentences[int(rng.random() * len(sentences))]
    if number == 1:
        return f"https://shop.example/item/{goods.number}"
    if number == 2:
        return str(10 + int(rng.random() * 990))
    return article_number(goods) if number == 3 else ""


def article_number(goods: Goods) -> str:
    """An article number that no other product has (7919 is prime to 10^7, so numbers do not meet)."""
    return f"{goods.brand.english[:2].upper()}{goods.number * 7919 % 10_000_000:07d}"


@cache
def _shipping(english: bool) -> tuple[str, ...]:
    """Every run of two to seven regions, written out as one attribute with several values."""
    name, regions = ("ships from", REGIONS_EN) if english else ("发货地区", REGIONS)
    turns = [regions[first:] + regions[:first] for first in range(len(regions))]
    return tuple("|".join([f"{name}={one}" for one in turn[:count]]) for turn in turns for count in range(2, 8))


def attribute_cell(goods: Goods, rng: Random, english: bool = False) -> str:
    """All attributes in one cell, `名=值|名=值`, among them some that are no tags (`NOT_TAGS`)."""
    random = rng.random
    month = 1 + int(random() * 3)
    barcode = f"69{goods.number * 104_729 % 10_000_000_000:010d}{month}"
    regions = _shipping(english)
    shipping = regions[int(random() * len(regions))]
    if english:
        facts = "|".join([value.fact_en for value in goods.values])
        return (
            f"brand={goods.brand.english}|{facts}|article number={article_number(goods)}|barcode={barcode}"
            f"|{shipping}|released=2026-{month:02d}"
        )
    facts = "|".join([value.fact for value in goods.values])
    return (
        f"品牌={goods.brand.name}|{facts}|货号={article_number(goods)}|条码={barcode}"
        f"|{shipping}|上市时间=2026-{month:02d}"
    )
