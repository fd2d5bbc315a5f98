"""How a clean tag gets dirty: the raw forms that shops type, and which clean tag each of them means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Only characters that have exactly one traditional form, so that the way back is certain.
_SIMPLIFIED = (
    "红蓝绿黄银饰屏显长续轻电宽条丝绒纹绣连裤针织装约复甜头艺务夏质网无线对级动降声卫猫数码单双稳门块"
    "脸润颜肤补轮儿车龙纸积实竹铁铝钢书阳厅厨调静净烧饼礼盒罐蜜"
)
_TRADITIONAL = (
    "紅藍綠黃銀飾屏顯長續輕電寬條絲絨紋繡連褲針織裝約復甜頭藝務夏質網無線對級動降聲衛貓數碼單雙穩門塊"
    "臉潤顏膚補輪兒車龍紙積實竹鐵鋁鋼書陽廳廚調靜淨燒餅禮盒罐蜜"
)
_TO_TRADITIONAL = str.maketrans(_SIMPLIFIED, _TRADITIONAL)
_TO_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


@dataclass(frozen=True)
class CleanTag:
    """A tag as it should be, with the other names that shops give it."""

    name: str
    aliases: tuple[str, ...] = ()


def full_width(text: str) -> str:
    """Write Latin letters and digits as wide as Chinese ones: `Wi-Fi` -> `Ｗｉ－Ｆｉ`."""
    return text.translate(_TO_FULL_WIDTH)


def variants(tag: CleanTag, emoji: Iterable[str] = ()) -> tuple[str, ...]:
    """All raw forms of one tag but the clean one; a form that is commoner in shops stands more than once."""
    name = tag.name
    forms = [*tag.aliases, *tag.aliases, name.translate(_TO_TRADITIONAL)]
    forms += [f"#{name}", f"#{name}#", f"＃{name}", f" {name}", f"{name} ", *(name + mark for mark in emoji)]
    if name.isascii():
        forms += [name.upper(), name.title(), name.capitalize(), f"#{name.replace(' ', '')}"]
        forms += [name.replace(" ", "-"), name.replace(" ", "_"), name.replace(" ", "  ")]
    elif len(name) == 2:
        forms.append(f"{name[0]} {name[1]}")
    if any(letter.isascii() for letter in name):
        forms += [name.lower(), name.upper(), name.replace("-", ""), name.replace("-", " "), full_width(name)]
    return tuple(form for form in forms if form != name)


def raw_forms(tags: Iterable[CleanTag], emoji: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The raw forms of every tag, such that no raw form means two tags: clean names win, then who comes first.

    Returns:
        clean name -> its raw forms (maybe none).
    """
    known = {tag.name: tag for tag in tags}
    meaning: dict[str, str] = {_key(name): name for name in known}
    forms: dict[str, tuple[str, ...]] = {}
    for number, tag in enumerate(known.values()):
        raws = variants(tag, emoji[number % len(emoji) :][:2])
        # Keyed by what a careful cleaner would make of it, so that two tags never meet after cleaning.
        forms[tag.name] = tuple(raw for raw in raws if meaning.setdefault(_key(raw), tag.name) == tag.name)
    return forms


def _key(raw: str) -> str:
    return "".join(letter for letter in raw.lower() if letter.isalnum())
