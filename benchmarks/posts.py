"""Posts and reviews read by a Tagger: right tags, and none where nothing is said.

    python benchmarks/posts.py [--only kinds made read]     # measure, write results/posts.json, print the tables
    python benchmarks/posts.py --show                       # print the tables of the figures that there are
    python benchmarks/posts.py --sample 100 --seed 7        # print so many answers to be judged by a person

Data: zh/reviews (real reviews of products in ten categories), zh/openbg_items, zh/advertisegen; see `_data.py`.

- kinds: a Tagger learns from 300 reviews of each category with the category as the tag, and is measured on 2,000
  others, beside logistic regression on TF-IDF (words by rjieba, and runs of 1 to 3 characters).
- made: a Tagger learns the attributes of a catalogue (openbg_items and advertisegen, cleaned as a shop's tags are).
  Posts are made of real texts: one advertisement of the official dev file; two, with a hotel or book review between
  them. The right tags are known. Reviews of hotels and books alone are about nothing that this catalogue sells: right
  is none. Measured: the Tagger on the whole text, and `PostReader`.
- read: the same Tagger, which has also learned the categories, reads other reviews; which tags each category gets, and
  what a person said of the tags of 100 reviews (`posts_judged.json`: row of the file, tag, right or wrong).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from _data import FOLDER
from _report import circumstances, known_figures, write_figures

from tagloom.config import TagSettings
from tagloom.data.tables import Products
from tagloom.data.vocabulary.hashtags import Hashtags
from tagloom.data.vocabulary.lists import UserLists, default_stop_tags, read_word_list
from tagloom.data.vocabulary.standard import standardise, with_standard_tags
from tagloom.data.vocabulary.vocab import Vocabulary
from tagloom.data.words.text import WordSplitter
from tagloom.tags.posts import PostReader, PostTags
from tagloom.tags.tagger import Tagger

RESULTS = "posts.json"
JUDGED = Path(__file__).with_name("posts_judged.json")
Answer = tuple[str, float]  # a category, or "" for none, and how sure it is
PARTS = ("kinds", "made", "read")
SEED = 0
_OF_EACH, _TESTED, _MADE = 300, 2_000, 300
_FOREIGN = ("酒店", "书籍")  # what the catalogue of `made` has nothing of
_SETTINGS: dict[str, Any] = {"experts": ["linear", "name"], "epochs": 6, "seed": SEED}
_LIBRARIES = ("scikit-learn", "numpy", "rjieba", "polars", "torch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--sample", type=int, default=0, help="print so many answers for a person to judge")
    parser.add_argument("--seed", type=int, default=SEED, help="of the sample")
    wanted = parser.parse_args()
    if not (FOLDER / "zh" / "reviews.parquet").exists():
        print(f"skipped: {FOLDER / 'zh' / 'reviews.parquet'} is missing; set TAGLOOM_DATA to the data folder")
        return
    if wanted.sample:
        show_sample(catalogue_reader(kinds_too=True), wanted.sample, wanted.seed)
        return
    figures = known_figures(RESULTS)
    if not wanted.show:
        if "kinds" in wanted.only:
            figures["kinds"] = circumstances(_LIBRARIES) | kinds()
        for part, measured in (("made", made), ("read", read)):
            if part in wanted.only:
                started = time.perf_counter()
                reader = catalogue_reader(kinds_too=part == "read")
                seconds = round(time.perf_counter() - started, 1)
                figures[part] = circumstances(_LIBRARIES) | {"training seconds": seconds} | measured(reader)
        write_figures(RESULTS, figures)
    show(figures)


# kinds


def kinds() -> dict[str, Any]:
    """How often the category is right on reviews that were not learned from, and seconds.

    So that what gives an answer to each review can be compared with `PostReader`, which does not: the precision of as
    many answers as that gives, the surest.
    """
    train, test = _reviews_in_parts()
    systems = {"Tagger": _by_tagger, "PostReader": _by_reader, "TF-IDF words": _by_words, "TF-IDF characters": _by_runs}
    found: dict[str, Any] = {"train": len(train), "test": len(test), "systems": {}}
    truth, kinds_of = test["cat"].to_list(), sorted(set(test["cat"]))
    said: dict[str, list[Answer]] = {}
    for name, answer in systems.items():
        started = time.perf_counter()
        said[name] = answer(train, test["review"].to_list())
        found["systems"][name] = {"seconds": round(time.perf_counter() - started, 1)}
    answered = sum(kind != "" for kind, _ in said["PostReader"])
    for name, answers in said.items():
        right = np.array([kind == true for (kind, _), true in zip(answers, truth, strict=True)])
        surest = np.argsort([-sure for _, sure in answers], kind="stable")[:answered]
        recall = {kind: float(right[np.array(truth) == kind].mean()) for kind in kinds_of}
        values = {
            "P@1": right.mean(),
            "macro recall": np.mean(list(recall.values())),
            "no answer": np.mean([kind == "" for kind, _ in answers]),
            "precision of the surest": right[surest].mean(),
        }
        found["systems"][name] |= {measure: round(float(value), 4) for measure, value in values.items()}
    return found | {"surest": answered}


def _reviews() -> pl.DataFrame:
    table = pl.read_parquet(FOLDER / "zh" / "reviews.parquet").with_row_index("row")
    return table.filter(pl.col("review").str.strip_chars().str.len_chars() > 0)


def _reviews_in_parts() -> tuple[pl.DataFrame, pl.DataFrame]:
    """So many reviews of each category to learn from, and others; equal texts are one."""
    table = _reviews().unique("review", maintain_order=True).sample(fraction=1, shuffle=True, seed=SEED)
    train = pl.concat([group.head(_OF_EACH) for group in table.partition_by("cat", maintain_order=True)])
    return train, table.filter(~pl.col("row").is_in(train["row"].implode())).head(_TESTED)


def _tagger_of_kinds(train: pl.DataFrame) -> Tagger:
    rows = [
        {"product_id": str(row), "description": text, "tags": [kind]}
        for row, kind, text in train.select("row", "cat", "review").iter_rows()
    ]
    return Tagger(**_SETTINGS).fit(Products.of(rows))


def _by_tagger(train: pl.DataFrame, texts: list[str]) -> list[Answer]:
    answers = _tagger_of_kinds(train).suggest(texts, 1, threshold=0.0)
    return [(found[0].tag, found[0].confidence) if found else ("", 0.0) for found in answers]


def _by_reader(train: pl.DataFrame, texts: list[str]) -> list[Answer]:
    """What is given; a review that says nothing of its category gets no answer, which counts as wrong here."""
    answers = PostReader(_tagger_of_kinds(train), Hashtags(Vocabulary())).read(texts, 1)
    return [(answer.tags[0].tag, answer.tags[0].confidence) if answer.tags else ("", 0.0) for answer in answers]


def _by_words(train: pl.DataFrame, texts: list[str]) -> list[Answer]:
    return _by_regression(train, texts, {"analyzer": WordSplitter().split})


def _by_runs(train: pl.DataFrame, texts: list[str]) -> list[Answer]:
    return _by_regression(train, texts, {"analyzer": "char", "ngram_range": (1, 3), "min_df": 2})


def _by_regression(train: pl.DataFrame, texts: list[str], words: dict[str, Any]) -> list[Answer]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(sublinear_tf=True, **words), LogisticRegression(C=10, max_iter=1_000))
    sure = model.fit(train["review"].to_list(), train["cat"].to_list()).predict_proba(texts)
    return list(zip(model.classes_[sure.argmax(1)].tolist(), sure.max(1).tolist(), strict=True))


# made


def catalogue_reader(kinds_too: bool = False) -> PostReader:
    """A reader with a Tagger of the attributes of a catalogue, cleaned as a shop's are.

    With `kinds_too` it also learns the categories of reviews, from those that `kinds` learns from.
    """
    items = pl.read_parquet(FOLDER / "zh" / "openbg_items.parquet")
    rows: list[dict[str, object]] = [
        {"product_id": f"o{ix}", "title": title, "attributes": attributes, "tags": [step for step in steps if step]}
        for ix, (title, attributes, *steps) in enumerate(items.iter_rows())
    ]
    rows += [
        {"product_id": f"a{ix}", "description": text, "attributes": attributes}
        for ix, (text, attributes) in enumerate(_advertisements("train"))
    ]
    if kinds_too:
        rows += [
            {"product_id": f"r{row}", "description": text, "tags": [f"品类={kind}"]}
            for row, kind, text in _reviews_in_parts()[0].select("row", "cat", "review").iter_rows()
        ]
    products, settings = Products.of(rows), TagSettings(min_support=10)
    lists = UserLists({}, read_word_list(default_stop_tags()), ())
    cleaning = standardise(products, settings, lists, Vocabulary()).cleaning
    clean = with_standard_tags(products, settings, cleaning.mapping, cleaning.vocabulary)
    tagger = Tagger(**_SETTINGS).fit(clean, vocabulary=cleaning.vocabulary)
    return PostReader(tagger, Hashtags(cleaning.vocabulary, lists, settings))


def _advertisements(part: str) -> list[tuple[str, list[dict[str, str]]]]:
    table = pl.read_parquet(FOLDER / "zh" / f"advertisegen_{part}.parquet", columns=["summary", "content"])
    return [
        (
            summary.replace("<UNK>", ""),
            [
                dict(zip(("name", "value"), pair.split("#", 1), strict=True))
                for pair in dict.fromkeys(content.split("*"))
            ],
        )
        for summary, content in table.iter_rows()
    ]


def made(reader: PostReader) -> dict[str, Any]:
    """Micro-F1 and its parts on posts whose tags are known; the share of posts about nothing that get none."""
    known = set(reader.tagger.tags)
    texts = [
        (text, {tag.name for one in attributes if (tag := _tag(reader, one)) is not None} & known)
        for text, attributes in _advertisements("dev")
    ]
    foreign = _reviews().filter(pl.col("cat").is_in(_FOREIGN)).sample(2 * _MADE, seed=SEED)["review"].to_list()
    rng = np.random.default_rng(SEED)
    order = [rng.choice(len(texts), 2, replace=False).tolist() for _ in range(_MADE)]
    posts = {
        "one": texts[:_MADE],
        "two": [
            (f"{texts[one][0]}\n{foreign[ix]}\n{texts[other][0]}", texts[one][1] | texts[other][1])
            for ix, (one, other) in enumerate(order)
        ],
        "nothing": [(text, set[str]()) for text in foreign[_MADE:]],
    }
    found: dict[str, Any] = {"tags": len(known), "posts": _MADE}
    for name, answer in (("Tagger, whole text", _whole), ("PostReader", _read)):
        found[name] = {what: _figures(answer(reader, [text for text, _ in some]), some) for what, some in posts.items()}
    return found


def _tag(reader: PostReader, attribute: dict[str, str]) -> Any:
    return reader.hashtags.vocabulary.find(f"{attribute['name']}={attribute['value']}")


def _whole(reader: PostReader, texts: list[str]) -> list[set[str]]:
    return [{score.tag for score in found} for found in reader.tagger.suggest(texts, 50, because=False)]


def _read(reader: PostReader, texts: list[str]) -> list[set[str]]:
    return [{score.tag for score in found.tags} for found in reader.read(texts, 50)]


def _figures(given: list[set[str]], posts: list[tuple[str, set[str]]]) -> dict[str, float]:
    right = sum(len(tags & true) for tags, (_, true) in zip(given, posts, strict=True))
    count, true = sum(map(len, given)), sum(len(tags) for _, tags in posts)
    figures = {"none": sum(not tags for tags in given) / len(given)}
    if true:
        figures |= {"micro-F1": 2 * right / (count + true), "precision": right / max(1, count), "recall": right / true}
    return {name: round(value, 4) for name, value in figures.items()}


# read


def _unseen() -> pl.DataFrame:
    """The reviews that no Tagger here learns from."""
    return _reviews().filter(~pl.col("review").is_in(_reviews_in_parts()[0]["review"].implode()))


def read(reader: PostReader) -> dict[str, Any]:
    """Which tags the reviews of each category get, with the words that carried them; and what a person said of some."""
    table = _unseen()
    found: dict[str, Any] = {"categories": {}}
    for kind in sorted(set(table["cat"])):
        some = table.filter(pl.col("cat") == kind)
        some = some.sample(min(_MADE, some.height), seed=SEED)
        started = time.perf_counter()
        answers = reader.read(some["review"].to_list())
        seconds = time.perf_counter() - started
        counts = Counter(score.tag for answer in answers for score in answer.tags)
        words: dict[str, Counter[str]] = {}
        for score in (score for answer in answers for score in answer.tags if score.because):
            words.setdefault(score.tag, Counter())[score.because[0].text] += 1
        found["categories"][kind] = {
            "none": round(sum(answer.none for answer in answers) / len(answers), 4),
            "reviews a second": round(len(answers) / seconds),
            "tags": [
                {
                    "tag": tag,
                    "reviews": count,
                    "because": [word for word, _ in words.get(tag, Counter()).most_common(3)],
                }
                for tag, count in counts.most_common(5)
            ],
        }
    return found | {"judged": judged(reader)}


def sample(count: int, seed: int) -> pl.DataFrame:
    """So many reviews of all categories, each as often as the others."""
    groups = _unseen().partition_by("cat", maintain_order=True)
    each = -(-count // len(groups))
    return pl.concat([group.sample(each, seed=seed) for group in groups]).head(count)


def show_sample(reader: PostReader, count: int, seed: int) -> None:
    """Answers for a person: row, category, text, tags."""
    rows = sample(count, seed)
    for (row, kind, text), answer in zip(
        rows.select("row", "cat", "review").iter_rows(), reader.read(rows["review"].to_list()), strict=True
    ):
        print(f"{row} {kind} {text[:220]!r}\n    {_told(answer)}")


def _told(answer: PostTags) -> str:
    told = (f"{one.tag} {one.confidence:.2f} ({', '.join(word.text for word in one.because)})" for one in answer.tags)
    return "; ".join(told) or "none"


def judged(reader: PostReader) -> dict[str, Any]:
    """What a person said of the tags of a drawn hundred, and how many of them are still given.

    The verdicts: row of the file -> tag -> right or wrong; and of rows without a tag whether one is missing.
    """
    if not JUDGED.exists():
        return {}
    said = json.loads(JUDGED.read_text("utf-8"))
    texts = dict(_reviews().select("row", "review").iter_rows())
    answers = reader.read([texts[int(row)] for row in said["tags"]])
    verdicts = [
        said["tags"][row].get(score.tag)
        for row, answer in zip(said["tags"], answers, strict=True)
        for score in answer.tags
    ]
    counts = Counter({True: "right", False: "wrong", None: "new, not judged"}[verdict] for verdict in verdicts)
    return {
        "reviews": len(said["tags"]),
        "without a tag": sum(answer.none for answer in answers),
        "of these, one was missing": sum(
            answer.none for row, answer in zip(said["tags"], answers, strict=True) if row in said["missing"]
        ),
        **counts,
        "kinds of mistakes": said["mistakes"],
    }


# Tables


def show(figures: dict[str, Any]) -> None:
    if "kinds" in figures:
        part = figures["kinds"]
        sizes = (
            f"{part['train']:,} to learn from, {part['test']:,} measured; precision of the surest {part['surest']:,}"
        )
        print(f"\nThe category of a review: {sizes}\n")
        print(f"{'':<20}{'P@1':>8}{'macro recall':>14}{'no answer':>11}{'surest':>9}{'seconds':>9}")
        for name, one in part["systems"].items():
            scores = f"{one['P@1']:>8.4f}{one['macro recall']:>14.4f}{one['no answer']:>11.4f}"
            print(f"{name:<20}{scores}{one['precision of the surest']:>9.4f}{one['seconds']:>9.1f}")
    if "made" in figures:
        part = figures["made"]
        print(f"\nPosts made of real texts, {part['posts']} of each kind; {part['tags']} tags\n")
        print(f"{'':<20}{'':<10}{'micro-F1':>9}{'precision':>11}{'recall':>8}{'none':>8}")
        for name in ("Tagger, whole text", "PostReader"):
            for what, one in part[name].items():
                scores = [one.get(key) for key in ("micro-F1", "precision", "recall")]
                cells = [
                    f"{'' if score is None else f'{score:.4f}':>{w}}"
                    for score, w in zip(scores, (9, 11, 8), strict=True)
                ]
                print(f"{name:<20}{what:<10}{''.join(cells)}{one['none']:>8.4f}")
    if "read" in figures:
        print("\nReviews read with the catalogue's tags\n")
        for kind, one in figures["read"]["categories"].items():
            tags = "; ".join(f"{tag['tag']} {tag['reviews']} ({', '.join(tag['because'])})" for tag in one["tags"])
            print(f"{kind}  none {one['none']:.2f}, {one['reviews a second']} a second: {tags}")
        print(f"\nJudged by a person: {figures['read']['judged']}")


if __name__ == "__main__":
    main()
