"""A training that was killed goes on where it was, and ends as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tagloom.shop import Shop

ROOT = Path(__file__).parents[2]


def killed(shop, job, *arguments):
    """Start a training and kill it, without a chance to tidy up, as soon as a few passes are complete."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tagloom", "train", str(shop), job, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    deadline = time.monotonic() + 120
    while max(Shop.open(shop).unfinished(job).values(), default=0) < 3:
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait(timeout=60)


def files_of(version):
    """What a version has learned; how long its passes took is no part of it."""
    return {path.name: path.read_bytes() for path in version.path.glob("*.safetensors")}


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["linear", "bag"])
def test_a_killed_training_goes_on_to_the_same_model(cli, shop, tmp_path, encoder):
    path = shop / "tagloom.toml"
    text = path.read_text("utf-8").replace("patience = 3", "patience = 100")
    path.write_text(text.replace("learning_rate = 8.0", f"learning_rate = {8.0 if encoder == 'linear' else 0.001}"))
    other = shutil.copytree(shop, tmp_path / "other")
    arguments = ["--encoder", encoder, "--epochs", "40"]
    killed(shop, "tags", *arguments)
    opened = Shop.open(shop)
    (made,) = opened.unfinished().values()
    assert 3 <= made < 40
    assert [version.name for version in opened.versions()] == ["0001"]
    assert cli("tag", shop, "--text", "牛仔外套").code == 0

    done = cli("train", shop, "tags", *arguments)
    assert done.code == 0, done.err
    assert f"A training was broken off ({encoder}, pass {made}). It goes on from there" in done.out
    assert done.err == ""
    assert opened.unfinished() == {}
    assert cli("train", other, "tags", *arguments).code == 0
    resumed, whole = (Shop.open(one).versions()[1] for one in (shop, other))
    assert resumed.manifest.metrics == whole.manifest.metrics
    assert files_of(resumed) == files_of(whole)
    _, found = opened.evaluation()
    assert len(found.training.curves[encoder].history) == 40


@pytest.mark.slow
def test_a_killed_training_of_recommendations_goes_on_to_the_same_model(cli, shop, tmp_path):
    path = shop / "tagloom.toml"
    path.write_text(path.read_text("utf-8").replace("patience = 4", "patience = 100"), "utf-8")
    other = shutil.copytree(shop, tmp_path / "other")
    arguments = ["--model", "gru", "--epochs", "12"]
    killed(shop, "recs", *arguments)
    (made,) = Shop.open(shop).unfinished("recs").values()
    assert Shop.open(shop).unfinished("tags") == {}
    assert [version.job for version in Shop.open(shop).versions()] == ["tags"]

    done = cli("train", shop, "recs", *arguments)
    assert done.code == 0, done.err
    assert f"A training was broken off (gru, pass {made}). It goes on from there" in done.out
    assert done.err == ""
    assert Shop.open(shop).unfinished("recs") == {}
    assert cli("train", other, "recs", *arguments).code == 0
    resumed, whole = (Shop.open(one).versions()[1] for one in (shop, other))
    assert resumed.manifest.metrics == whole.manifest.metrics
    assert files_of(resumed) == files_of(whole)


class StopError(Exception):
    """What breaks a training off."""


@pytest.mark.slow
def test_a_training_with_other_settings_says_in_one_line_that_it_begins_anew(run_cli, shop):
    def stop(expert, number, figures):
        if number == 2:
            raise StopError

    with pytest.raises(StopError):
        Shop.open(shop).train("tags", progress=stop)
    done = run_cli("train", shop, "tags", "--seed", "1")
    assert done.code == 0, done.err
    assert "A training was broken off (linear, pass 2)." in done.out
    assert done.err.startswith("warning: ")
    assert "training begins anew and will replace it" in done.err
    assert done.err.count("\n") == 1
