"""A model version on disk is complete and unchanged, or refused by the name of the file."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from tagloom.artifact import (
    FORMAT,
    MANIFEST,
    check_artifact,
    load_arrays,
    new_artifact,
    read_manifest,
    save_arrays,
)
from tagloom.errors import ArtifactError, TagloomError

SETTINGS = {"encoder": "linear", "width": 3, "rate": 0.1, "none": None}


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "models" / "0001"
    with new_artifact(path, "tags", SETTINGS, {"rows": 3, "名": "数据"}, {"P@1": 0.1 + 0.2}) as folder:
        (folder / "words").mkdir()
        (folder / "words" / "a.json").write_text("[1]", encoding="utf-8")
        save_arrays(folder / "weights.safetensors", {"w": np.arange(6, dtype=np.float32).reshape(2, 3)})
    return path


def test_the_manifest_tells_what_it_is(model):
    manifest = check_artifact(model, "tags")
    assert (manifest.job, manifest.settings, manifest.format) == ("tags", SETTINGS, FORMAT)
    assert (manifest.data, manifest.metrics) == ({"rows": 3, "名": "数据"}, {"P@1": 0.1 + 0.2})
    assert manifest.files.keys() == {"words/a.json", "weights.safetensors"}
    assert manifest.size_bytes == sum(os.path.getsize(model / name) for name in manifest.files)  # noqa: PTH202
    assert manifest.created.endswith("+00:00")
    assert manifest.libraries["torch"]
    assert read_manifest(model) == manifest


def test_only_the_version_itself_is_left(model):
    assert [path.name for path in model.parent.iterdir()] == ["0001"]


def test_a_version_is_never_overwritten(model):
    before = (model / MANIFEST).read_bytes()
    with pytest.raises(ArtifactError, match="exists already"), new_artifact(model, "tags", {}, {}, {}):
        pytest.fail("the block ran")
    assert (model / MANIFEST).read_bytes() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, MemoryError])
def test_nothing_is_left_of_one_that_was_broken_off(tmp_path, error):
    def broken_off():
        with new_artifact(tmp_path / "models" / "0001", "tags", {}, {}, {}) as folder:
            (folder / "half").write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(error):
        broken_off()
    assert not list((tmp_path / "models").iterdir())


def test_a_disk_error_is_one_clear_line(tmp_path):
    with (
        pytest.raises(TagloomError, match=r"0001: could not be written .*nothing was changed"),
        new_artifact(tmp_path / "0001", "tags", {}, {}, {}),
    ):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_another_jobs_model_is_refused(model):
    with pytest.raises(ArtifactError, match="holds a model for 'tags', not for 'recs'"):
        check_artifact(model, "recs")


def test_where_there_is_none_it_says_so(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(ArtifactError, match="no model version here"):
            check_artifact(path, "tags")


def test_one_flipped_bit_anywhere_is_found(model):
    for name in ("words/a.json", "weights.safetensors", MANIFEST):
        path = model / name
        contents = path.read_bytes()
        for place in range(len(contents)):
            path.write_bytes(contents[:place] + bytes([contents[place] ^ 1 << place % 8]) + contents[place + 1 :])
            with pytest.raises(ArtifactError) as refused:
                check_artifact(model, "tags")
            assert path.name in str(refused.value)
        path.write_bytes(contents)
    check_artifact(model, "tags")


@pytest.mark.parametrize("name", ["words/a.json", "weights.safetensors", MANIFEST])
def test_cut_off_grown_and_missing_files_are_found(model, name):
    path = model / name
    contents = path.read_bytes()
    for other in (b"", contents[:-1], contents + b"\n", contents.replace(b"\n", b"\r\n") + b" "):
        path.write_bytes(other)
        with pytest.raises(ArtifactError, match=f"{path.name}: damaged"):
            check_artifact(model, "tags")
    path.unlink()
    with pytest.raises(ArtifactError, match=f"{path.name}.* missing"):
        check_artifact(model, "tags")
    path.mkdir()
    with pytest.raises(ArtifactError, match=path.name):
        check_artifact(model, "tags")


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"[]", "no format number"),
        (b'{"format": "1"}', "no format number"),
        (b"{}", "no format number"),
        (b'{"format": 1}', "checksum does not match"),
        (b"\xff\xfe", "damaged"),
        (b"[" * 100_000, "damaged"),
    ],
)
def test_a_manifest_of_another_kind_is_damaged(model, contents, message):
    (model / MANIFEST).write_bytes(contents)
    with pytest.raises(ArtifactError, match=f"manifest.json: .*{message}"):
        read_manifest(model)


def test_a_newer_format_is_refused_whatever_else_it_holds(model):
    values = json.loads((model / MANIFEST).read_text(encoding="utf-8"))
    (model / MANIFEST).write_text(json.dumps({**values, "format": FORMAT + 1, "new": 1}), encoding="utf-8")
    with pytest.raises(ArtifactError, match=rf"format {FORMAT + 1} by a newer tagloom.*Upgrade"):
        check_artifact(model, "tags")


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {"a": np.arange(6).reshape(2, 3).T, "b": np.float32([]), "c": np.array([True])}
    save_arrays(tmp_path / "x.safetensors", arrays)
    loaded = load_arrays(tmp_path / "x.safetensors")
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].dtype == array.dtype


def test_arrays_that_are_none_are_refused(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"\x00" * 20)
    for name in ("x", "nowhere"):
        with pytest.raises(ArtifactError, match=rf"{name}\.safetensors: damaged"):
            load_arrays(tmp_path / f"{name}.safetensors")
