"""The versions of a shop's models: which there are, which answers, and what a wrong name is told."""

from __future__ import annotations

import pytest

from tagloom.artifact import MANIFEST, new_artifact
from tagloom.errors import ArtifactError, ShopError
from tagloom.versions import Versions


@pytest.fixture
def versions(tmp_path):
    """Three versions of tags, the second of which answers."""
    made = Versions(tmp_path / "models", "tags")
    for number in range(3):
        with new_artifact(made.next_path(), "tags", {"number": number}, {}, {}) as folder:
            (folder / "words.json").write_text("[]", encoding="utf-8")
    made.promote("0002")
    return made


def test_versions_are_listed_oldest_first_and_one_answers(versions):
    assert [(version.name, version.current) for version in versions.all()] == [
        ("0001", False),
        ("0002", True),
        ("0003", False),
    ]
    assert versions.get().name == "0002"
    assert versions.get("0003").manifest.settings == {"number": 2}


def test_a_number_is_not_given_again_while_a_higher_one_is_there(versions):
    (versions.get("0001").path / MANIFEST).write_text("damaged", encoding="utf-8")
    assert versions.next_path().name == "0004"


def test_without_a_model_the_command_that_makes_one_is_named(tmp_path):
    with pytest.raises(ShopError, match=r"no model for tags yet; run: tagloom train .* tags"):
        Versions(tmp_path / "models", "tags").get()


@pytest.mark.parametrize("name", ["0009", "../tags/0001", "0001/", ".", "words", "/"])
def test_only_names_of_versions_lead_anywhere(versions, name):
    with pytest.raises(ShopError, match="there are: 0001, 0002, 0003"):
        versions.get(name)
    with pytest.raises(ShopError, match="no version"):
        versions.promote(name)
    assert versions.get().name == "0002"


def test_a_damaged_version_is_left_out_of_the_list_and_refused_by_name(versions):
    (versions.get("0003").path / MANIFEST).write_text("{", encoding="utf-8")
    assert [version.name for version in versions.all()] == ["0001", "0002"]
    with pytest.raises(ArtifactError, match=r"0003.*damaged"):
        versions.promote("0003")
    assert versions.get().name == "0002"


def test_when_the_current_version_is_gone_the_others_are_named(versions):
    path = versions.get().path
    path.rename(path.with_name("aside"))
    with pytest.raises(ShopError, match="no version '0002' of tags; there are: 0001, 0003"):
        versions.get()
