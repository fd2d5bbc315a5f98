"""Speed and harm of text made numbers: titles a second, and what custom words do to ordinary text.

    python benchmarks/words.py [--titles FILE.parquet --column title] [--brands FILE.txt] [--rounds 5]

Without files it makes titles and brands of its own. One thread; seconds of processor time, so that a busy machine
distorts less; the best and the median of the rounds.
Prints JSON: characters a title, seconds to load, titles a second for each step.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"

from tagloom.data.words.subwords import train_subwords
from tagloom.data.words.text import WordSplitter, normalise

# fmt: off
_WORDS = [
    "新款", "宽松", "牛仔外套", "女", "纯棉", "T恤", "128GB", "手机", "无线", "蓝牙耳机", "Wi-Fi", "加厚",
    "羽绒服", "韩版", "5G", "防水", "男士", "皮鞋", "礼盒装", "500g",
]
# fmt: on
_SYLLABLES = "茗梵玛森洛欧蓝雪薇诺迪卡尔雅思格菲莱"


def made_titles(count: int, seed: int = 0) -> list[str]:
    drawn = random.Random(seed)
    return ["".join(drawn.sample(_WORDS, 9)) for _ in range(count)]


def made_brands(count: int, seed: int = 0) -> list[str]:
    drawn = random.Random(seed)
    names = ("".join(drawn.choices(_SYLLABLES, k=drawn.randint(2, 4))) for _ in range(count))
    latin = ("".join(drawn.choices("abcdefghijklmnopqrstuvwxyz", k=drawn.randint(3, 9))) for _ in range(count))
    return [
        f"{name}（{other.title()}）" if ix % 2 else name
        for ix, (name, other) in enumerate(zip(names, latin, strict=True))
    ]


def per_second(work: Callable[[], object], texts: int, rounds: int) -> dict[str, int]:
    work()
    seconds = []
    for _ in range(rounds):
        begin = time.process_time()
        work()
        seconds.append(time.process_time() - begin)
    return {"best": round(texts / min(seconds)), "median": round(texts / statistics.median(seconds))}


def changed(plain: WordSplitter, custom: WordSplitter, titles: list[str]) -> dict[str, float]:
    """How many titles hold a custom word, and how many plain words a title loses to them (cut, or grown into one)."""
    with_custom = lost = 0
    for title in titles:
        words = custom.split(title)
        with_custom += any(word in custom.known for word in words)
        lost += len(set(plain.split(title)) - set(words))
    return {
        "share of titles with a custom word": round(with_custom / len(titles), 3),
        "plain words lost a title": round(lost / len(titles), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--titles", type=Path)
    parser.add_argument("--column", default="title")
    parser.add_argument("--brands", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    titles = made_titles(20_000)
    if wanted.titles:
        import polars as pl

        titles = pl.read_parquet(wanted.titles)[wanted.column].drop_nulls().unique(maintain_order=True).to_list()
    brands = wanted.brands.read_text(encoding="utf-8").splitlines() if wanted.brands else made_brands(100_000)

    plain, custom = WordSplitter(), WordSplitter(tuple(brands))
    begin = time.perf_counter()
    custom.split("新款")
    load = time.perf_counter() - begin
    begin = time.perf_counter()
    subwords = train_subwords(titles, 8_000)
    training = time.perf_counter() - begin
    steps: dict[str, Callable[[], object]] = {
        "normalise": lambda: [normalise(title) for title in titles],
        "words": lambda: plain.split_many(titles),
        "words, with custom words": lambda: custom.split_many(titles),
        "sub-words": lambda: subwords.encode(titles),
    }
    print(
        json.dumps(
            {
                "titles": len(titles),
                "characters a title": round(sum(map(len, titles)) / len(titles), 1),
                "custom words": len(custom.known),
                "seconds to load custom words": round(load, 2),
                "seconds to train sub-words": round(training, 2),
                "titles a second": {name: per_second(work, len(titles), wanted.rounds) for name, work in steps.items()},
                **changed(plain, custom, titles),
            },
            ensure_ascii=False,
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
