"""A shop from Python: the ten lines of the docs, and what stays true from one call to the next."""

from __future__ import annotations

import json

import pytest

import tagloom
from tagloom.config import Settings
from tagloom.errors import SettingsError, ShopError, UserError
from tagloom.shop import SETTINGS, Shop


def write(path, *rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def goods(path, count=30, start=0, **more):
    """Jackets; the even ones are loose, the odd ones close-fitting."""
    return write(
        path,
        *(
            {"id": f"p{n}", "title": f"第{n}款外套", "tags": ["宽松" if n % 2 else "修身", "＃牛仔"], **more}
            for n in range(start, start + count)
        ),
    )


@pytest.fixture
def jackets(tmp_path):
    shop = Shop.create(tmp_path / "jackets")
    path = shop.folder / SETTINGS
    path.write_text(path.read_text("utf-8").replace("max_share = 0.9", "max_share = 1.0"), "utf-8")
    shop = Shop.open(shop.folder)
    shop.load(products=[goods(tmp_path / "goods.jsonl")])
    return shop


def tags(shop):
    return dict(shop.products.frame.select("product_id", "tags").iter_rows())


def ids(shop):
    return {tag.name: tag.id for tag in shop.vocabulary.tags}


# The folder


def test_a_new_shop_is_one_folder_with_every_setting_and_four_lists(tmp_path):
    shop = Shop.create(tmp_path / "deep" / "新店")
    assert {path.name for path in shop.folder.iterdir()} == {
        SETTINGS,
        "synonyms.txt",
        "stop_tags.txt",
        "words.txt",
        "hidden.txt",
    }
    assert shop.settings == Settings() == Shop.open(shop.folder).settings
    assert shop.lists.synonyms == {}
    assert shop.lists.words == ()
    assert shop.lists.hidden == frozenset()


def test_an_empty_folder_becomes_a_shop_and_a_full_one_is_left_alone(tmp_path):
    (tmp_path / "empty").mkdir()
    Shop.create(tmp_path / "empty")
    with pytest.raises(ShopError, match="is a shop already"):
        Shop.create(tmp_path / "empty")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ShopError, match="is not empty; choose a new folder"):
        Shop.create(tmp_path / "full")
    with pytest.raises(ShopError, match="is not empty"):
        Shop.create(tmp_path / "full" / "notes.txt")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["notes.txt"]


def test_where_no_shop_is_the_command_that_makes_one_is_told(tmp_path):
    with pytest.raises(ShopError, match=r"no shop here \(tagloom.toml is missing\); make one with: tagloom init"):
        Shop.open(tmp_path)


def test_before_an_import_there_are_no_products(tmp_path):
    shop = Shop.create(tmp_path / "new")
    for ask in (lambda: shop.products, lambda: shop.raw_products, shop.clean, lambda: shop.train("tags")):
        with pytest.raises(ShopError, match="has no products yet; run: tagloom import"):
            ask()
    assert len(shop.events) == 0
    assert len(shop.vocabulary) == 0
    assert shop.versions() == []


def test_nothing_to_import_and_unknown_jobs_are_told(tmp_path, jackets):
    with pytest.raises(ShopError, match="nothing to import"):
        jackets.load()
    with pytest.raises(ShopError, match="unknown job 'pictures'; there are tags, recs, words"):
        jackets.train("pictures")
    with pytest.raises(SettingsError, match=r"unknown key 'tagger.epoch'; did you mean 'epochs'"):
        jackets.train("tags", epoch=3)


# Tags


def test_tags_are_clean_and_the_imported_ones_are_kept(jackets):
    assert tags(jackets)["p1"] == ["宽松", "牛仔"]
    assert jackets.raw_products.frame["tags"][1].to_list() == ["宽松", "＃牛仔"]


def test_an_update_changes_its_products_only_and_no_id(jackets, tmp_path):
    before = ids(jackets)
    jackets.load(products=[goods(tmp_path / "update.jsonl", 5, title="改了名", tags=["新标签", "牛仔"])])
    assert len(jackets.products) == 30
    assert tags(jackets)["p3"] == ["新标签", "牛仔"]
    assert tags(jackets)["p7"] == ["宽松", "牛仔"]
    assert ids(jackets) == {**before, "新标签": len(before)}


def test_new_offers_make_no_model_and_no_tag_old(jackets, tmp_path):
    cleaned, data, known = tags(jackets), jackets.raw_products.fingerprint(), ids(jackets)
    jackets.load(write(tmp_path / "stock.jsonl", {"id": "p1", "stock": 0, "price": "¥99"}))
    offers = jackets.products.frame.filter(product_id="p1").select("stock", "price")
    assert offers.row(0) == (0.0, 99.0)
    assert (tags(jackets), jackets.raw_products.fingerprint(), ids(jackets)) == (cleaned, data, known)


def test_what_a_person_decided_outlives_the_next_import(jackets, tmp_path):
    jackets.save_vocabulary(jackets.vocabulary.rename("牛仔", "丹宁").merge("修身", into="宽松"))
    decided = ids(jackets)
    jackets.load(products=[goods(tmp_path / "more.jsonl", 10, start=100)])
    assert tags(jackets)["p100"] == ["宽松", "丹宁"]
    assert ids(jackets) == decided


def test_lists_that_changed_count_from_the_next_cleaning_on(jackets):
    (jackets.folder / "synonyms.txt").write_text("丹宁 = 牛仔\n", encoding="utf-8")
    (jackets.folder / "stop_tags.txt").write_text("修身\n", encoding="utf-8")
    assert tags(jackets)["p0"] == ["修身", "牛仔"]
    jackets.clean()
    assert tags(jackets)["p0"] == ["丹宁"]
    assert tags(jackets)["p1"] == ["宽松", "丹宁"]


def test_events_leave_the_tags_alone(jackets, tmp_path):
    (jackets.folder / "stop_tags.txt").write_text("修身\n", encoding="utf-8")
    event = {"user_id": "u1", "action": "view", "time": "2026-05-01", "product_id": "p1"}
    jackets.load(events=[write(tmp_path / "log.jsonl", event)])
    assert tags(jackets)["p0"] == ["修身", "牛仔"]
    assert len(jackets.events) == 1


def test_when_cleaning_was_cut_off_after_an_import_it_is_done_when_needed(jackets, tmp_path):
    from tagloom.data.intake.imports import import_files

    more = goods(tmp_path / "more.jsonl", 10, start=100, tags=["抓绒"])
    import_files(jackets.tables, [(more, "products")], jackets.settings.read)
    assert tags(jackets)["p100"] == ["抓绒"]
    assert "抓绒" in ids(jackets)


# Models


def test_the_ten_lines_of_the_docs(shop):
    opened = tagloom.Shop.open(shop)
    tagger = opened.tagger()
    (scores,) = tagger.suggest(["轻奢 高端 送礼 项链"], 3)
    assert isinstance(scores[0], tagloom.TagScore)
    assert isinstance(tagger, tagloom.Tagger)
    assert scores[0].tag in {tag.name for tag in opened.vocabulary.tags}
    with pytest.raises(AttributeError, match="has no attribute 'Taggr'; it has "):
        tagloom.Taggr  # noqa: B018


def test_a_version_says_its_data_and_its_figures(trained_shop):
    (version,) = [version for version in Shop.open(trained_shop).versions() if version.job == "tags"]
    opened = Shop.open(trained_shop)
    assert version.manifest.data["products"] == opened.raw_products.fingerprint()
    assert sum(version.manifest.data["rows"].values()) == len(opened.products)
    assert version.manifest.data["split"] == opened.settings.split.model_dump()
    assert version.manifest.settings["learning_rate"] == 8.0
    again, names, figures = opened.evaluate()
    assert again == version
    assert figures.values == pytest.approx(version.manifest.metrics)
    assert set(names) <= {tag.name for tag in opened.vocabulary.tags}


def test_training_with_the_same_seed_gives_the_same_figures(shop):
    opened = Shop.open(shop)
    assert opened.train("tags").manifest.metrics == pytest.approx(opened.versions()[0].manifest.metrics, abs=1e-4)


def test_a_version_is_measured_on_the_products_that_its_own_training_held_out(shop):
    """Also when the settings divide the products in another way by now."""
    before = Shop.open(shop).evaluate()[2].products
    path = shop / SETTINGS
    path.write_text(path.read_text("utf-8").replace("test = 0.1", "test = 0.3"), "utf-8")
    assert Shop.open(shop).evaluate()[2].products == before
    assert Shop.open(shop).train("tags", encoder="popular").manifest.data["rows"]["test"] > 2 * before


@pytest.mark.slow
def test_word_vectors_start_the_networks_where_they_are_asked_for(shop):
    opened = Shop.open(shop)
    opened.train("tags", encoder="bag", epochs=1, learning_rate=0, width=16)
    assert [one.job for one in opened.versions()] == ["tags", "tags"]
    version = opened.train("tags", encoder="bag", epochs=1, learning_rate=0, word_vectors=True)
    assert version.manifest.settings["encoder"] == "bag"
    assert [one.job for one in opened.versions()] == ["tags", "tags", "tags", "words"]
    (scores,) = opened.tagger().suggest(["高端 送礼"], 3, threshold=0)
    assert len(scores) == 3


def test_an_evaluation_explains_the_figures(trained_shop):
    opened = Shop.open(trained_shop)
    version, found = opened.evaluation()
    assert (version, found.tags) == opened.evaluate()[:2]
    assert found.figures.values == opened.evaluate()[2].values
    assert [expert.name for expert in found.training.experts] == ["linear", "name"]
    assert set(found.training.curves) == {"linear"}  # a name is not learned in passes
    assert len(found.training.curves["linear"].history) == 2
    assert found.worst_tags
    assert found.worst_products[0].text


# Training that was broken off


class StopError(Exception):
    """What breaks a training off."""


@pytest.mark.slow
def test_a_training_that_was_broken_off_goes_on_to_the_same_model(shop):
    def stop(expert, number, figures):
        if number == 3:
            raise StopError

    opened = Shop.open(shop)
    assert opened.unfinished() == {}
    with pytest.raises(StopError):
        opened.train("tags", epochs=5, progress=stop)
    assert opened.unfinished() == {"linear": 3}
    assert [version.name for version in opened.versions()] == ["0001"]
    passes = []
    resumed = opened.train("tags", epochs=5, progress=lambda *told: passes.append(told[:2]))
    assert passes == [("linear", 4), ("linear", 5)]
    assert opened.unfinished() == {}
    assert sorted(path.name for path in resumed.path.parent.iterdir()) == ["0001", "0002", "current"]
    assert resumed.manifest.metrics == opened.train("tags", epochs=5).manifest.metrics
    assert len(opened.evaluation(resumed.name)[1].training.curves["linear"].history) == 5


def test_a_training_with_other_settings_begins_anew(shop):
    def stop(expert, number, figures):
        raise StopError

    opened = Shop.open(shop)
    with pytest.raises(StopError):
        opened.train("tags", progress=stop)
    passes = []
    with pytest.warns(RuntimeWarning, match="broken-off training of another fingerprint.*begins anew"):
        opened.train("tags", seed=1, progress=lambda *told: passes.append(told[1]))
    assert passes == [1, 2]
    assert opened.unfinished() == {}


@pytest.mark.slow
def test_a_recommender_that_was_broken_off_goes_on_to_the_same_version(shop):
    def stop(expert, number, figures):
        if number == 2:
            raise StopError

    opened, asked = Shop.open(shop), {"model": "gru", "epochs": 3}
    with pytest.raises(StopError):
        opened.train("recs", progress=stop, **asked)
    assert (opened.unfinished("recs"), opened.unfinished("tags")) == ({"gru": 2}, {})
    passes = []
    resumed = opened.train("recs", progress=lambda *told: passes.append(told[:2]), **asked)
    assert passes[0] == ("gru", 3)
    assert opened.unfinished("recs") == {}
    assert resumed.manifest.metrics == opened.train("recs", **asked).manifest.metrics
    assert [version.name for version in opened.versions() if version.job == "recs"] == ["0001", "0002"]


# New tags


CYCLING = [f"骑行 头盔 反光 防水 第{n}款" for n in range(5)]


def test_a_tag_that_was_added_is_given_at_once_and_the_older_version_stays(shop):
    opened = Shop.open(shop)
    before = ids(opened)
    text = "高端 送礼 骑行装备 防水"
    version = opened.add_tag("骑行装备", aliases=["单车"], texts=[f"骑行装备 高端 送礼 第{n}款" for n in range(5)])
    assert version.current
    assert version.manifest.data["added"] == {"tag": "骑行装备", "id": max(before.values()) + 1, "to": "0001"}
    assert ids(opened) == {**before, "骑行装备": max(before.values()) + 1}
    assert opened.vocabulary.find("单车").name == "骑行装备"
    scores = {score.tag: score for score in opened.tagger().suggest([text], 50, threshold=0)[0]}
    assert scores["骑行装备"].tag_id == ids(opened)["骑行装备"]
    assert scores["骑行装备"].confidence > 0.3
    assert "骑行装备" not in opened.tagger("0001").tags
    assert len(opened.products) == len(Shop.open(shop).products)


def test_the_figures_of_a_taught_version_are_measured_anew(shop):
    opened = Shop.open(shop)
    version = opened.add_tag("骑行装备", texts=CYCLING)
    again, _, figures = opened.evaluate()
    assert again == version
    assert figures.values == pytest.approx(version.manifest.metrics)
    assert figures.products == opened.evaluate("0001")[2].products


def test_examples_are_products_of_the_catalogue(shop):
    opened = Shop.open(shop)
    products = opened.products.frame.head(5)["product_id"].to_list()
    text = opened.products.texts[0]
    opened.add_tag("前五件", examples=products)
    found = {score.tag: score.confidence for score in opened.tagger().suggest([text], 800, threshold=0)[0]}
    other = {
        score.tag: score.confidence
        for score in opened.tagger().suggest([opened.products.texts[300]], 800, threshold=0)[0]
    }
    assert found["前五件"] > other["前五件"]


def test_two_tags_can_be_added_one_after_the_other_and_follow_a_rename(shop):
    opened = Shop.open(shop)
    opened.add_tag("骑行装备", texts=CYCLING)
    opened.add_tag("钓鱼竿")
    assert {"骑行装备", "钓鱼竿"} <= set(opened.tagger().tags)
    opened.save_vocabulary(opened.vocabulary.rename("骑行装备", "骑车"))
    assert "骑车" in opened.tagger().tags
    assert "骑行装备" not in opened.tagger().tags


def test_a_tag_that_cannot_be_added_changes_nothing(shop):
    opened = Shop.open(shop)
    before = opened.vocabulary
    known = opened.tagger().tags[0]
    for told, problem in [
        (lambda: opened.add_tag(known), "gives .* already"),
        (lambda: opened.add_tag("新的", examples=["p-none"]), "there is no product 'p-none' in the catalogue"),
        (lambda: opened.add_tag("新的", aliases=[known]), "already belongs to the tag"),
        (lambda: opened.add_tag("，"), "a tag needs a name with a letter or digit"),
    ]:
        with pytest.raises(UserError, match=problem):
            told()
    assert opened.vocabulary == before
    assert [version.name for version in opened.versions()] == ["0001"]
