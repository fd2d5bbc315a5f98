"""Settings: frozen classes on one side, `tagloom.toml` on the other. Every key stands here and nowhere else."""

from __future__ import annotations

import difflib
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tagloom.errors import SettingsError


class Section(BaseModel):
    """One `[table]` of tagloom.toml: frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ReadSettings(Section):
    """How files are read. Empty means: found out from the file."""

    encoding: Literal["", "utf-8", "utf-8-sig", "gb18030"] = Field(
        "", description="Encoding of CSV, TSV and JSONL files; empty: found out."
    )
    list_separator: str = Field(
        "", max_length=3, description="What separates the entries of a list in one cell; empty: found out."
    )
    batch_rows: int = Field(50_000, ge=100, le=1_000_000, description="Rows held in memory at a time during an import.")
    product_columns: dict[str, str | tuple[str, ...]] = Field(
        {}, description="Our field = your column (or columns), for products; what is not named is guessed."
    )
    max_characters: int = Field(
        100_000, ge=100, le=4_000_000, description="A longer title or description is cut there, and counted as mended."
    )
    event_columns: dict[str, str] = Field(
        {}, description="Our field = your column, for events; what is not named is guessed."
    )
    actions: dict[str, Literal["purchase", "cart", "view", "like", "rate", "search", "post"]] = Field(
        {}, description="Your word = our action, for words that are not known already."
    )
    default_action: Literal["", "purchase", "cart", "view", "like", "rate", "search", "post"] = Field(
        "",
        description="Action of events in files without an action column; empty: `rate` with a rating, else an error.",
    )


class TagSettings(Section):
    """What becomes a tag, and how tags are cleaned."""

    from_attributes: bool = Field(True, description="Also make tags of attributes, as name=value.")
    from_category: bool = Field(False, description="Also make tags of the category path's steps.")
    min_support: int = Field(3, ge=1, le=1_000_000, description="A tag on fewer products is dropped.")
    max_share: float = Field(
        0.9, gt=0, le=1, description="A tag on a larger share of the products says nothing and is dropped."
    )
    max_words: int = Field(5, ge=1, le=100, description="A tag of more words is a sentence and is dropped.")
    max_characters: int = Field(40, ge=2, le=1_000, description="A longer tag is a sentence and is dropped.")
    merge_typos: bool = Field(
        True, description="Merge rare misspellings into the common spelling (always listed in the report)."
    )
    parent_confidence: float = Field(
        0.95, gt=0.5, le=1, description="Share of a tag's products that must carry another for it to be its parent."
    )
    proposed_users: int = Field(
        3, ge=1, le=1_000_000, description="A hashtag of posts is proposed as a tag when so many users wrote it."
    )
    synonyms: str = Field("synonyms.txt", description="File in the shop: a line a tag, `name = alias, alias`.")
    stop_tags: str = Field("stop_tags.txt", description="File in the shop: tags that are never wanted, one a line.")


class TextSettings(Section):
    """How text becomes words and numbers."""

    words: str = Field("words.txt", description="File in the shop: your own words and brands, one a line, never split.")
    subwords: int = Field(8_000, ge=300, le=100_000, description="Size of the sub-word vocabulary trained on the shop.")
    vector_size: int = Field(100, ge=8, le=1_024, description="Width of the word vectors trained on the shop.")
    vector_epochs: int = Field(10, ge=1, le=200, description="Passes over the texts when training word vectors.")


class SplitSettings(Section):
    """How products are divided into train, valid and test."""

    by: Literal["random", "group", "time"] = Field(
        "group", description="random; group: equal texts stay together; time: by first event."
    )
    valid: float = Field(0.1, gt=0, lt=0.5, description="Share for choosing: early stopping, thresholds.")
    test: float = Field(0.1, gt=0, lt=0.5, description="Share for reporting.")
    seed: int = Field(0, ge=0, description="Seed of the division.")


ExpertName = Literal[
    "linear",
    "tree",
    "nearest",
    "neighbours",
    "name",
    "bag",
    "cnn",
    "lstm",
    "transformer",
    "pretrained",
    "popular",
]


class TaggerSettings(Section):
    """The Tagger's model and training."""

    encoder: Literal["blend", ExpertName] = Field(
        "blend", description="blend: the experts below, joined; or one alone; see models.md. popular: the baseline."
    )
    experts: tuple[ExpertName, ...] = Field(
        ("bag", "cnn", "neighbours", "name"), min_length=1, description="What the blend is made of."
    )
    size: Literal["tiny", "small", "base", "large"] = Field(
        "tiny", description="Size of lstm and transformer: about 1, 6, 40 and 300 million parameters."
    )
    head: Literal["labelwise", "pooled"] = Field(
        "labelwise", description="How words become scores: each tag looks for its own words, or all share one summary."
    )
    pretrained: str = Field("", description="For encoder pretrained: a folder of a Hugging Face encoder, or a hub id.")
    lora: int = Field(
        0, ge=0, le=512, description="Rank of LoRA's matrices for encoder pretrained; 0: tune all weights."
    )
    width: int = Field(512, ge=8, le=4_096, description="Width of bag's vectors.")
    trees: int = Field(3, ge=1, le=100, description="Label trees grown by encoder tree.")
    ngrams: int = Field(
        0, ge=0, le=5, description="Longest run of words that is a feature; 0: 2 from 20,000 texts on, else 1."
    )
    max_features: int = Field(200_000, ge=100, le=10_000_000, description="Most features kept, by document frequency.")
    min_documents: int = Field(2, ge=1, le=1_000, description="A feature in fewer texts is left out.")
    max_words: int = Field(2_000, ge=10, le=1_000_000, description="Words read of one text; the rest is ignored.")
    max_tokens: int = Field(256, ge=8, le=8_192, description="Of those, words read by the networks that read in order.")
    word_vectors: bool = Field(False, description="Start the networks from the shop's word vectors.")
    loss: Literal["family", "binary_cross_entropy", "softmax_cross_entropy", "asymmetric"] = Field(
        "family", description="family: tags of which a product has one at most compete, the others are yes or no."
    )
    exclusive: float = Field(
        0.98, gt=0.5, le=1, description="Share of an attribute's products with one value from which it takes only one."
    )
    optimiser: Literal["auto", "sgd", "adam", "adamw"] = Field("auto", description="auto: sgd for linear, else adamw.")
    epochs: int = Field(0, ge=0, le=1_000, description="Most passes over the training data; 0: by its size, 6 to 16.")
    patience: int = Field(3, ge=1, le=100, description="Stop after so many passes without a better nDCG@10 on valid.")
    batch_size: int = Field(64, ge=1, le=65_536, description="Texts in a training step.")
    learning_rate: float = Field(
        0.0, ge=0, le=1_000, description="Largest step; 0: linear tries a few, the others have one each."
    )
    weight_decay: float = Field(0.01, ge=0, le=1, description="Pull of the networks' weights towards zero.")
    warmup: float = Field(0.05, ge=0, lt=1, description="Share of the steps over which the step size rises.")
    clip: float = Field(1.0, ge=0, description="Largest norm of a step's gradient; 0: any.")
    dropout: float = Field(0.3, ge=0, lt=1, description="Share of the numbers in the networks hidden at each step.")
    word_dropout: float = Field(
        0.1, ge=0, lt=1, description="Share of the words hidden from the networks at each step."
    )
    numbers: Literal["32", "bf16", "auto"] = Field(
        "32", description="Bits of the networks' numbers in training; auto: the faster, measured (may differ by run)."
    )
    threads: int = Field(
        1,
        ge=0,
        le=1_024,
        description="CPU threads in training; on busy cores more than 1 is slower; 0: by network size.",
    )
    devices: int = Field(1, ge=1, le=1_024, description="GPUs, or processes on a machine without any.")
    precision: float = Field(
        0.0, ge=0, le=0.99, description="Share of given tags that shall be right, from 0.5; 0: the best micro-F1."
    )
    include: tuple[str, ...] = Field((), description="Give these tags alone; name, or attribute=* for all its values.")
    exclude: tuple[str, ...] = Field((), description="Never give these tags.")
    seed: int = Field(0, ge=0, description="Seed of initial weights and order.")


RecommenderName = Literal["popular", "recent", "category", "neighbours", "repeats", "gru", "transformer"]


class RecommenderSettings(Section):
    """The Recommender's model and training."""

    model: Literal["blend", RecommenderName] = Field(
        "blend", description="blend: the experts below, joined; or one alone; see models.md. popular: the baseline."
    )
    experts: tuple[RecommenderName, ...] = Field(
        ("transformer", "neighbours", "repeats", "recent"), min_length=1, description="What the blend is made of."
    )
    size: Literal["tiny", "small", "base", "large"] = Field("tiny", description="Size of gru and transformer.")
    weights: dict[str, Annotated[float, Field(ge=0, le=1_000)]] = Field(
        {"purchase": 1.0, "cart": 0.7, "like": 0.7, "rate": 0.7, "post": 0.5, "view": 0.3, "search": 0.3},
        description="How much each action says about what a user wants; what is not named says nothing.",
    )
    session_minutes: float = Field(30, gt=0, le=100_000, description="A longer pause ends a session.")
    max_events: int = Field(50, ge=1, le=10_000, description="Latest events of a history that networks read.")
    again: Literal["auto", "yes", "no"] = Field(
        "auto", description="Recommend what the user has already; auto: as it was better on valid."
    )
    max_features: int = Field(50_000, ge=100, le=10_000_000, description="Most words of the products' texts.")
    neighbours: int = Field(200, ge=1, le=10_000, description="Products kept beside each by expert neighbours.")
    loss: Literal["auto", "full_softmax", "sampled_softmax", "binary_cross_entropy", "mean_squared_error"] = Field(
        "auto",
        description="auto: full_softmax up to 50,000 products, else sampled_softmax. mean_squared_error: for ratings.",
    )
    negatives: int = Field(2_000, ge=1, le=1_000_000, description="Products that a step of the other losses draws.")
    negatives_power: float = Field(
        0.5, ge=0, le=1, description="1 draws products by their number of events, 0 all alike."
    )
    smoothing: float = Field(0.0, ge=0, lt=1, description="Share of the truth spread over all, for full_softmax.")
    tag_share: float = Field(0.1, ge=0, le=100, description="Weight of the next tags' loss beside the next product's.")
    epochs: int = Field(12, ge=1, le=1_000, description="Most passes over the events.")
    patience: int = Field(4, ge=1, le=100, description="Stop after so many passes without a better nDCG@10 on valid.")
    batch_events: int = Field(
        0, ge=0, le=1_000_000, description="Events in a training step; 0: by their number, 256 to 2,048."
    )
    learning_rate: float = Field(0.005, gt=0, le=1_000, description="Largest step.")
    weight_decay: float = Field(0.01, ge=0, le=1, description="Pull of the networks' weights towards zero.")
    warmup: float = Field(0.05, ge=0, lt=1, description="Share of the steps over which the step size rises.")
    clip: float = Field(1.0, ge=0, description="Largest norm of a step's gradient; 0: any.")
    average: float = Field(0.0, ge=0, lt=1, description="Of the running mean of weights what stays at a step; 0: none.")
    dropout: float = Field(0.5, ge=0, lt=1, description="Share of the numbers in the networks hidden at each step.")
    id_dropout: float = Field(0.1, ge=0, lt=1, description="Share of products known by tags and words alone at a step.")
    numbers: Literal["32", "bf16", "auto"] = Field(
        "auto", description="Bits of the networks' numbers in training; auto: bf16 where it should be faster."
    )
    threads: int = Field(1, ge=0, le=1_024, description="CPU threads in training; 0: by network size.")
    devices: int = Field(1, ge=1, le=1_024, description="GPUs, or processes on a machine without any.")
    refit: bool = Field(True, description="When all is chosen, learn once more from the whole log, valid included.")
    split: Literal["last", "time"] = Field(
        "time", description="What is held out: each user's last products, or all events after a moment."
    )
    valid: float = Field(0.1, gt=0, lt=0.5, description="Share of the events for choosing, for split time.")
    test: float = Field(0.1, gt=0, lt=0.5, description="Share of the events for reporting, for split time.")
    seed: int = Field(0, ge=0, description="Seed of initial weights and order.")


class SearchSettings(Section):
    """How queries are read, and how the search learns."""

    max_words: int = Field(32, ge=1, le=1_000, description="Different words read of a query; the rest is ignored.")
    max_features: int = Field(50_000, ge=100, le=10_000_000, description="Most words that get a vector of their own.")
    width: int = Field(64, ge=8, le=4_096, description="Width of the vectors of words, tags and products.")
    epochs: int = Field(12, ge=1, le=1_000, description="Most passes over the queries.")
    seed: int = Field(0, ge=0, description="Seed of initial weights, drawn queries and order.")


class RulesSettings(Section):
    """What is shown of what was recommended, where a question says nothing else."""

    hidden: str = Field("hidden.txt", description="File in the shop: ids of products that are never shown, one a line.")
    per_category: int = Field(
        0, ge=0, le=10_000, description="Most products of one category in an answer; 0: any number."
    )
    new_share: float = Field(0.0, ge=0, le=1, description="Share of an answer's places for new products.")
    new_events: int = Field(5, ge=0, le=1_000_000, description="A product with fewer events than this is new.")
    variety: float = Field(
        0.0, ge=0, le=100, description="How much less counts what everybody takes; 0: as the models say."
    )
    again: Literal["auto", "yes", "no"] = Field(
        "auto", description="Show what the user has already; auto: as the Recommender found best when it was trained."
    )


class Settings(Section):
    """All of tagloom.toml."""

    read: ReadSettings = Field(ReadSettings(), description="How files are read.")
    tags: TagSettings = Field(TagSettings(), description="What becomes a tag, and how tags are cleaned.")
    text: TextSettings = Field(TextSettings(), description="How text becomes words and numbers.")
    split: SplitSettings = Field(SplitSettings(), description="How products are divided.")
    tagger: TaggerSettings = Field(TaggerSettings(), description="The Tagger's model and training.")
    recommender: RecommenderSettings = Field(RecommenderSettings(), description="The Recommender's model and training.")
    search: SearchSettings = Field(SearchSettings(), description="How queries are read, and how the search learns.")
    rules: RulesSettings = Field(RulesSettings(), description="What is shown of what was recommended.")


def settings_from(values: dict[str, Any], where: str = "settings") -> Settings:
    """Check plain values against every key's type and range.

    Args:
        values: sections and keys, as in tagloom.toml.
        where: the file's name, for errors.

    Raises:
        SettingsError: names the first wrong key, what is allowed, and the nearest known key.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(f"{where}: {_explain(error.errors()[0])}") from error


def load_settings(path: Path) -> Settings:
    """Read tagloom.toml; what it leaves out has its default.

    Raises:
        SettingsError: not TOML, an unknown key, or a value outside its range.
    """
    try:
        return settings_from(tomllib.loads(path.read_text(encoding="utf-8-sig")), str(path))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not readable as TOML: {error}") from error


def settings_toml(settings: Settings = Settings()) -> str:  # noqa: B008 (frozen)
    """All settings as TOML, every key with its line of documentation."""
    import tomlkit

    document = tomlkit.document()
    document.add(tomlkit.comment("Settings of this shop. Every key may be left out; it then has the value shown here."))
    for name, section in Settings.model_fields.items():
        table = tomlkit.table()
        table.comment(str(section.description))
        values = getattr(settings, name)
        for key, info in type(values).model_fields.items():
            value = getattr(values, key)
            table.add(tomlkit.comment(str(info.description)))
            table.add(key, tomlkit.item(_inline(value) if isinstance(value, dict) else value))
        document.add(name, table)
    return tomlkit.dumps(document)


def settings_markdown() -> str:
    """docs/settings.md: every key with type, default, range and meaning."""
    lines = [
        "# Settings",
        "",
        "All keys of a shop's `tagloom.toml`. Every key may be left out. A wrong key or value is an error that names",
        "the key, what is allowed and the nearest known key.",
    ]
    for name, section in Settings.model_fields.items():
        kind = section.annotation
        assert isinstance(kind, type) and issubclass(kind, Section)  # noqa: S101, PT018 (our own classes)
        lines += [
            "",
            f"## [{name}]",
            "",
            str(section.description),
            "",
            "| key | default | allowed | meaning |",
            "|---|---|---|---|",
        ]
        schema = kind.model_json_schema()["properties"]
        for key, info in kind.model_fields.items():
            default = toml_value(info.default)
            lines.append(f"| `{key}` | `{default}` | {_allowed(schema[key])} | {info.description} |")
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:
    """A value as TOML writes it."""
    import tomlkit

    return str(tomlkit.item(_inline(value) if isinstance(value, dict) else value).as_string())


def _inline(values: dict[str, Any]) -> Any:
    import tomlkit

    table = tomlkit.inline_table()
    table.update({key: list(value) if isinstance(value, tuple) else value for key, value in values.items()})
    return table


def _allowed(schema: dict[str, Any]) -> str:
    if schema.get("type") == "array":
        choices = schema["items"].get("enum")
        return "list of " + (", ".join(f"`{choice}`" for choice in choices) if choices else "text")
    if "enum" in schema:
        return ", ".join(f"`{choice}`" if choice else "empty" for choice in schema["enum"])
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    kind = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true`, `false`"}
    name = kind.get(schema.get("type", ""), "table")
    if low is None and high is None:
        return name
    above = "above" if "exclusiveMinimum" in schema else "from"
    below = "below" if "exclusiveMaximum" in schema else "to"
    return f"{name} {above} {low}" + (f" {below} {high}" if high is not None else "")


def _explain(problem: Any) -> str:
    path = [str(step) for step in problem["loc"]]
    if problem["type"] != "extra_forbidden":
        return f"{'.'.join(path)} = {problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
    section: Any = Settings
    for step in path[:-1]:
        section = section.model_fields[step].annotation
    known = list(section.model_fields)
    close = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.4)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"unknown key {'.'.join(path)!r}{hint} Known here: {', '.join(known)}"


if __name__ == "__main__":
    sys.stdout.write(settings_markdown())
