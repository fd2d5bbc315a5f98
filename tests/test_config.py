"""Settings: the way to TOML and back, and what a wrong key or value is told."""

from __future__ import annotations

import tomllib
from typing import Any, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagloom.config import Settings, load_settings, settings_from, settings_markdown, settings_toml, toml_value
from tagloom.errors import SettingsError

# No control characters but those that TOML can carry, no surrogates: what a text file holds.
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def values_of(info: Any) -> st.SearchStrategy[Any]:
    """Values within a key's type and range."""
    kind = info.annotation
    if choices := [choice for choice in get_args(kind) if isinstance(choice, str)]:
        return st.sampled_from(choices)
    if kind is bool:
        return st.booleans()
    if get_origin(kind) is tuple:
        entries = get_args(get_args(kind)[0])
        fewest = next((rule.min_length for rule in info.metadata if hasattr(rule, "min_length")), 0)
        return st.lists(st.sampled_from(entries) if entries else WORDS, min_size=fewest, max_size=4).map(tuple)
    low = next((getattr(rule, name) for rule in info.metadata for name in ("ge", "gt") if hasattr(rule, name)), None)
    high = next((getattr(rule, name) for rule in info.metadata for name in ("le", "lt") if hasattr(rule, name)), None)
    if kind is int:
        return st.integers(low, 2**63 - 1 if high is None else high)
    if kind is float:
        strict = {type(rule).__name__ for rule in info.metadata}
        return st.floats(low, high, exclude_min="Gt" in strict, exclude_max="Lt" in strict)
    longest = next((rule.max_length for rule in info.metadata if hasattr(rule, "max_length")), 20)
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=longest)


TABLES = {
    "product_columns": st.dictionaries(WORDS, WORDS | st.lists(WORDS, max_size=3).map(tuple), max_size=3),
    "event_columns": st.dictionaries(WORDS, WORDS, max_size=3),
    "actions": st.dictionaries(WORDS, st.sampled_from(["purchase", "view", "search"]), max_size=3),
    "weights": st.dictionaries(st.sampled_from(["purchase", "view", "search"]), st.floats(0, 1_000), max_size=3),
}


def any_section(kind: Any) -> st.SearchStrategy[Any]:
    keys = {key: TABLES[key] if key in TABLES else values_of(info) for key, info in kind.model_fields.items()}
    return st.fixed_dictionaries(keys).map(lambda values: kind(**values))


ANY_SETTINGS = st.fixed_dictionaries(
    {name: any_section(type(info.default)) for name, info in Settings.model_fields.items()}
).map(lambda sections: Settings(**sections))


@given(ANY_SETTINGS)
@settings(max_examples=20, deadline=None)
def test_settings_survive_the_way_to_toml_and_back(given_settings):
    assert settings_from(tomllib.loads(settings_toml(given_settings))) == given_settings


def test_the_file_of_a_new_shop_says_every_default_with_its_meaning(tmp_path):
    path = tmp_path / "tagloom.toml"
    path.write_text(settings_toml(), encoding="utf-8")
    assert load_settings(path) == Settings()
    for section in Settings.model_fields:
        for info in type(getattr(Settings(), section)).model_fields.values():
            assert f"# {info.description}\n" in settings_toml()


def test_what_a_file_leaves_out_has_its_default_and_a_byte_order_mark_is_no_harm(tmp_path):
    path = tmp_path / "tagloom.toml"
    path.write_text("[tags]\nmin_support = 7\n", encoding="utf-8-sig")
    read = load_settings(path)
    assert read.tags.min_support == 7
    assert read.tagger == Settings().tagger


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[tagger]\nepoch = 3\n", r"unknown key 'tagger.epoch'; did you mean 'epochs'\? Known here: encoder, "),
        ("[tager]\nepochs = 3\n", r"unknown key 'tager'; did you mean 'tagger'\? Known here: read, tags"),
        ("epochs = 3\n", r"unknown key 'epochs'"),
        ("[tagger]\nwidth = 0\n", r"tagger.width = 0: input should be greater than or equal to 8"),
        ('[tagger]\nepochs = "many"\n', r"tagger.epochs = 'many': "),
        ('[tagger]\nsize = "huge"\n', r"tagger.size = 'huge': input should be 'tiny', 'small', 'base' or 'large'"),
        ('[tagger]\nexperts = ["bert"]\n', r"tagger.experts.0 = 'bert': input should be "),
        ('[read.actions]\nnahm = "took"\n', r"read.actions.nahm = 'took': "),
        ("[recommender.weights]\nview = -1\n", r"recommender.weights.view = -1: input should be greater than or equal"),
        ("tags = 3\n", r"tags = 3: "),
        ("[tagger\n", r"not readable as TOML: .*line 1"),
        ("[tagger]\nepochs = 3\nepochs = 4\n", r"not readable as TOML"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_what_is_allowed(tmp_path, text, told):
    path = tmp_path / "tagloom.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=told) as raised:
        load_settings(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", ["[tags]\nsynonyms = '手机'\n".encode("gb18030"), b"\x00\x01"])
def test_a_file_that_is_no_text_is_told_so(tmp_path, content):
    path = tmp_path / "tagloom.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="not readable as TOML"):
        load_settings(path)


@pytest.mark.parametrize("value", [3, 0.5, True, "", 'a "quoted" \\ word', {"title": "名称", "text": ("a", "b")}])
def test_a_value_is_written_as_toml_reads_it(value):
    read = tomllib.loads(f"key = {toml_value(value)}")["key"]
    assert read == ({**value, "text": ["a", "b"]} if isinstance(value, dict) else value)


def test_the_table_of_settings_says_what_is_allowed():
    page = settings_markdown()
    assert '| `size` | `"tiny"` | `tiny`, `small`, `base`, `large` |' in page
    assert "| `min_support` | `3` | whole number from 1 to 1000000 |" in page
    assert "number above 0 below 0.5" in page
