"""Recommendations on the command line: trained, measured, asked for, and what a wrong use is told."""

from __future__ import annotations

import json
import shutil

import pytest

from tagloom.shop import Shop


@pytest.fixture
def mine(recs_shop, tmp_path):
    """A copy of `recs_shop` that a test may change."""
    return shutil.copytree(recs_shop, tmp_path / "mine")


def asked(cli, shop, *arguments):
    done = cli("recommend", shop, *arguments, "--json")
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


# train


def test_training_says_how_good_it_is_on_what_came_later(cli, shop):
    done = cli("train", shop, "recs", "--model", "neighbours")
    assert (done.code, done.err) == (0, "")
    for told in ("Version 0001 of recs, on", "events that came later", "HR@10", "nDCG@10", "coverage@10"):
        assert told in done.out
    assert f"Next: tagloom evaluate {shop} recs" in done.out
    version = next(version for version in Shop.open(shop).versions() if version.job == "recs")
    assert version.manifest.settings["model"] == "neighbours"
    assert version.manifest.data["tagger"] == "0001"
    assert not (shop / "models/recs/.training").exists()


@pytest.mark.slow
def test_what_is_chosen_for_once_is_in_the_version_and_its_figures_in_json(cli, shop):
    done = cli("train", shop, "recs", "--model", "gru", "--epochs", "1", "--seed", "3", "--size", "tiny", "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert (told["job"], told["version"]) == ("recs", "0001")
    assert 0 < told["metrics"]["HR@10"] <= 1
    settings = Shop.open(shop).versions()[-1].manifest.settings
    assert [settings[key] for key in ("model", "epochs", "seed", "size")] == ["gru", 1, 3, "tiny"]


def test_the_versions_figures_are_those_that_are_measured_again(recs_shop):
    opened = Shop.open(recs_shop)
    version, found = opened.measured()
    assert found.values == pytest.approx(version.manifest.metrics)
    assert version.manifest.data["rows"]["train"] + version.manifest.data["rows"]["test"] == len(opened.events)


# evaluate


def test_an_evaluation_is_shown_and_written_as_page_and_json(cli, mine):
    done = cli("evaluate", mine, "recs")
    assert (done.code, done.err) == (0, "")
    for told in ("Next products", "Next tags", "HR@10", "recommender", "popular", "transformer", "neighbours"):
        assert told in done.out
    assert f"Intervals, curves, and what the lists do to the catalogue: {mine / 'evaluation-recs.html'}" in done.out
    page = (mine / "evaluation-recs.html").read_text(encoding="utf-8")
    assert "How good are the recommendations of version 0001?" in page
    written = json.loads((mine / "evaluation-recs.json").read_text(encoding="utf-8"))
    assert written["version"] == "0001"
    assert written["products"].keys() >= {"recommender", "popular", "recent", "category", "transformer"}
    assert [one["name"] for one in written["experts"]] == list(Shop.open(mine).settings.recommender.experts)
    told = json.loads(cli("evaluate", mine, "recs", "--json").out)
    assert {**written, "html": str(mine / "evaluation-recs.html")} == told


# recommend


def test_products_and_tags_for_a_user(cli, recs_shop):
    opened = Shop.open(recs_shop)
    told = asked(cli, recs_shop, "u0001", "--top", "3")
    recommender = opened.recommender()
    assert told["basis"] == "history"
    assert [one["product_id"] for one in told["products"]] == [
        one.product_id for one in recommender.products("u0001", top=3)
    ]
    assert [(one["tag"], one["id"]) for one in told["tags"]] == [
        (one.tag, one.tag_id) for one in recommender.tags("u0001", top=3)
    ]
    assert all(opened.vocabulary.tag(one["id"]).name == one["tag"] for one in told["tags"])
    done = cli("recommend", recs_shop, "u0001", "--top", "3")
    assert (done.code, done.err) == (0, "")
    titles = dict(opened.raw_products.frame.select("product_id", "title").iter_rows())
    assert "Next products for u0001" in done.out
    assert "Next tags for u0001" in done.out
    for one in told["products"]:
        assert one["product_id"] in done.out
        assert titles[one["product_id"]].split()[0][:8] in done.out


def test_a_user_of_whom_nothing_is_known_gets_what_is_taken_now_and_is_told_so(cli, recs_shop):
    done = cli("recommend", recs_shop, "nobody")
    assert (done.code, done.err) == (0, "")
    assert "Nothing is known of this user: what is taken most now." in done.out
    told = asked(cli, recs_shop, "nobody")
    assert told["basis"] == "default"
    assert len(told["products"]) == len(told["tags"]) == 10


def test_a_history_is_given_by_hand(cli, recs_shop):
    products = Shop.open(recs_shop).products.frame["product_id"].to_list()[:2]
    history = ["--history", products[0], "--history", f"view:{products[1]}", "--history", "search:红色 裙子"]
    told = asked(cli, recs_shop, *history)
    by_hand = [products[0], ("view", products[1]), ("search", "红色 裙子")]
    expected = Shop.open(recs_shop).recommender().products(history=by_hand)
    assert [one["product_id"] for one in told["products"]] == [one.product_id for one in expected]
    assert (told["basis"], told["left_out"]) == ("history", {})
    assert "Next products for this history" in cli("recommend", recs_shop, *history).out


def test_what_of_a_history_was_not_used_is_told(cli, recs_shop):
    product = Shop.open(recs_shop).products.frame["product_id"][0]
    history = ["--history", product, "--history", "no-such-one"]
    assert asked(cli, recs_shop, *history)["left_out"] == {"unknown product": 1}
    assert "Left out of the history, unknown product: 1." in cli("recommend", recs_shop, *history).out


def test_the_tags_of_a_product_or_of_texts_that_a_user_wants(cli, recs_shop):
    frame = Shop.open(recs_shop).products.frame
    product, text = frame["product_id"][3], Shop.open(recs_shop).products.texts[3]
    of_product, of_text = (
        asked(cli, recs_shop, "u0001", *more, "--top", "4") for more in (["--product", product], ["--text", text])
    )
    assert of_product == of_text
    assert len(of_product["tags"]) == 4
    assert "products" not in of_product
    assert set(frame["tags"][3].to_list()) & {one["tag"] for one in of_product["tags"]}
    two = asked(cli, recs_shop, "u0001", "--text", text, "--text", "手机")
    assert two["tags"][0]["confidence"] >= of_text["tags"][0]["confidence"]
    assert "Tags of the product for u0001" in cli("recommend", recs_shop, "u0001", "--product", product).out


def test_everybodys_products_are_lines_or_a_file(cli, recs_shop, tmp_path):
    out = tmp_path / "recommended.jsonl"
    done = cli("recommend", recs_shop, "--all", "--top", "2", "--out", out)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"Recommended for 60 users: {out}\n"
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {line["user_id"] for line in lines} == set(Shop.open(recs_shop).events.frame["user_id"])
    assert all(len(line["products"]) == 2 and line["basis"] == "history" for line in lines)
    first = asked(cli, recs_shop, lines[0]["user_id"], "--top", "2")
    assert [one["product_id"] for one in first["products"]] == [one["product_id"] for one in lines[0]["products"]]
    assert cli("recommend", recs_shop, "--all", "--top", "2").out == out.read_text(encoding="utf-8")
    told = cli("recommend", recs_shop, "--all", "--out", out, "--json")
    assert json.loads(told.out) == {"users": 60, "out": str(out)}


def test_whether_what_a_user_has_is_shown_is_said_with_a_question_or_for_the_shop(cli, mine):
    had = set(Shop.open(mine).events.frame.filter(user_id="u0001")["product_id"].drop_nulls())

    def shown(*more):
        return {one["product_id"] for one in asked(cli, mine, "u0001", "--top", "10000", *more)["products"]}

    had &= shown("--again")
    assert had
    assert not had & shown("--no-again")
    head, sign, rules = (mine / "tagloom.toml").read_text(encoding="utf-8").partition("[rules]")
    for again, expected in (("yes", had), ("no", set())):
        told = head + sign + rules.replace('again = "auto"', f'again = "{again}"')
        (mine / "tagloom.toml").write_text(told, encoding="utf-8")
        assert had & shown() == expected


# models, and what changes in the shop


@pytest.mark.slow
def test_an_older_version_can_be_made_to_answer(cli, mine):
    assert cli("train", mine, "recs", "--model", "popular").code == 0
    listed = [one for one in json.loads(cli("models", mine, "--json").out) if one["job"] == "recs"]
    assert [(one["version"], one["current"], one["settings"]["model"]) for one in listed] == [
        ("0001", False, "blend"),
        ("0002", True, "popular"),
    ]
    before = asked(cli, mine, "u0001")
    assert asked(cli, mine, "u0001", "--version", "0001") != before
    assert "0001" in cli("models", mine, "--promote", "0001", "--job", "recs").out
    assert asked(cli, mine, "u0001", "--version", "0002") == before != asked(cli, mine, "u0001")
    assert json.loads(cli("models", mine, "--json").out)[0]["current"]  # that of tags is as it was


def test_what_users_do_and_what_comes_in_counts_at_once(cli, mine, tmp_path):
    product = Shop.open(mine).products.frame["product_id"][0]
    (tmp_path / "goods.csv").write_text("id,title\nbrand-new,牛仔 外套\n", encoding="utf-8")
    lines = "".join(f"someone,view,{one},2026-06-0{n + 1}\n" for n, one in enumerate((product, "brand-new")))
    (tmp_path / "log.csv").write_text("user_id,action,product_id,time\n" + lines, encoding="utf-8")
    done = cli("import", mine, "--products", tmp_path / "goods.csv", "--events", tmp_path / "log.csv")
    assert done.code == 0, done.err
    told = asked(cli, mine, "someone", "--top", "500")
    assert told["basis"] == "history"
    assert len(told["products"]) >= 400
    assert asked(cli, mine, "--history", "brand-new")["left_out"] == {}


def test_tags_that_were_merged_since_are_one(cli, mine):
    before = [one["tag"] for one in asked(cli, mine, "u0001", "--top", "2")["tags"]]
    assert cli("tags", "merge", mine, before[1], before[0]).code == 0
    for more in ([], ["--text", " ".join(before)]):
        found = [one["tag"] for one in asked(cli, mine, "u0001", "--top", "500", *more)["tags"]]
        assert before[0] in found
        assert before[1] not in found
        assert len(found) == len(set(found))


# Wrong uses: exit code 2, one line


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("recommend SHOP", "give a user, --history or --all, one of the three"),
        ("recommend SHOP u0001 --all", "give a user, --history or --all, one of the three"),
        ("recommend SHOP u0001 --history p1", "give a user, --history or --all, one of the three"),
        ("recommend SHOP u0001 --top 0", "see: tagloom recommend --help"),
        ("recommend SHOP --all --why", "--why is for the products of one user"),
        ("recommend SHOP u0001 --include red", "--include 'red': give a kind and a name, such as tag=red"),
        ("recommend SHOP u0001 --price 50", "--price '50': give two prices with two dots between"),
        ("recommend SHOP u0001 --price 9..3", "rules: price_from 9 is above price_to 3; no price lies between"),
        ("recommend SHOP u0001 --out some.jsonl", "--out is for --all; what is recommended to one user is shown"),
        ("recommend SHOP --all --out no/such.jsonl", "--out no/such.jsonl: there is no folder no; make it first"),
        ("recommend SHOP --all --text 手机", "--product and --text are for one user, not for --all"),
        ("recommend SHOP u0001 --product none", "product: there is no product 'none' in the catalogue; give its id"),
        ("recommend SHOP u0001 --product none --text 手机", "product and texts: give one of the two"),
        ("recommend SHOP u0001 --version 9", "no version '9' of recs; there are: 0001"),
        ("recommend nowhere u0001", "nowhere: no shop here"),
        ("evaluate SHOP recs --folds 3", "--folds is for tags; recs are measured on what came later"),
        ("evaluate SHOP pictures", "unknown job 'pictures'; there are: tags, recs"),
        ("train SHOP recs --model bert", "recommender.model = 'bert': input should be 'blend', 'popular', 'recent', "),
        ("train SHOP recs --encoder bag", "--encoder is not for recs, which has its settings in [recommender]"),
        ("train SHOP tags --model gru", "--model is not for tags, which has its settings in [tagger] of tagloom.toml"),
        ("models SHOP --job recs --promote 7", "no version '7' of recs; there are: 0001"),
    ],
)
def test_a_wrong_use_is_told_in_one_line(refused, recs_shop, line, told):
    assert told in refused(line, recs_shop)


def test_where_no_recommender_is_the_command_that_trains_one_is_told(cli, trained_shop):
    for command in (["recommend", trained_shop, "u0001"], ["evaluate", trained_shop, "recs"]):
        done = cli(*command)
        assert done.code == 2
        assert f"no model for recs yet; run: tagloom train {trained_shop} recs" in done.err


def test_a_shop_without_events_says_that_they_are_missing(cli, tmp_path):
    shop = Shop.create(tmp_path / "new").folder
    (tmp_path / "goods.csv").write_text("id,title,tags\n" + "".join(f"{n},外套 {n},牛仔\n" for n in range(9)), "utf-8")
    assert cli("train", shop, "recs").code == 2
    assert cli("import", shop, "--products", tmp_path / "goods.csv").code == 0
    done = cli("train", shop, "recs")
    assert done.code == 2
    assert "0 users with 0 events on products" in done.err
    assert "import more events" in done.err
    assert done.err.count("\n") == 1
    assert Shop.open(shop).versions() == []
