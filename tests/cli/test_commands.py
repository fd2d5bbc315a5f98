"""Each command by itself: its forms of input and output, its JSON, and what a wrong use is told."""

from __future__ import annotations

import json
import re
from typing import get_args

import pytest
import typer
from typer.main import get_command

from tagloom import cli as program
from tagloom.config import RecommenderSettings, TaggerSettings
from tagloom.shop import Shop


def leaves():
    """Every command that does something, by its words."""

    def walk(words, command):
        children = getattr(command, "commands", {})
        return [pair for name, child in children.items() for pair in walk(f"{words} {name}", child)] or [
            (words, command)
        ]

    return dict(pair for name, child in get_command(program.app).commands.items() for pair in walk(name, child))


# Wrong uses: exit code 2, one line


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("no-such-command", "No such command 'no-such-command'; see: tagloom --help"),
        ("init", "Missing argument 'SHOP'; see: tagloom init --help"),
        ("check SHOP --no-such", "No such option: --no-such; see: tagloom check --help"),
        ("check SHOP --top 0", "see: tagloom check --help"),
        ("check SHOP --top many", "see: tagloom check --help"),
        ("tags", "Missing command; see: tagloom tags --help"),
        ("tags split SHOP 高端", "Missing option '--part'"),
        ("tags undo SHOP one", "see: tagloom tags undo --help"),
        ("init SHOP", "is a shop already"),
        ("check nowhere", "nowhere: no shop here (tagloom.toml is missing); make one with: tagloom init nowhere"),
        ("import SHOP", "nothing to import; name at least one file"),
        ("train SHOP pictures", "unknown job 'pictures'; there are tags, recs, words"),
        ("train SHOP tags --encoder bert", "tagger.encoder = 'bert': input should be 'blend', 'linear', 'tree', "),
        ("train SHOP tags --size huge", "tagger.size = 'huge': input should be 'tiny', 'small', 'base' or 'large'"),
        ("train SHOP tags --epochs -1", "tagger.epochs = -1"),
        ("train SHOP tags --seed -1", "tagger.seed = -1"),
        ("train SHOP words --epochs 3", "--epochs is not for words, which has its settings in [text] of tagloom.toml"),
        ("evaluate SHOP words", "unknown job 'words'; there are: tags, recs"),
        ("evaluate SHOP --folds 1", "cannot make 1 folds"),
        ("evaluate SHOP --folds 3 --version 0001", "give one of the two"),
        ("evaluate SHOP --version 9", "no version '9' of tags; there are: 0001"),
        ("tag SHOP", "give a file of products or --text, one of the two"),
        ("tag SHOP file.csv --text red", "give a file of products or --text, one of the two"),
        ("tag SHOP missing.csv", "missing.csv: no such file"),
        ("tag SHOP --text red --threshold 2", "threshold: expected a confidence from 0 to 1, came 2.0"),
        ("tag SHOP --text red --precision 0.2", "precision: expected a share from 0.5 to 0.99, came 0.2"),
        ("tag SHOP --text red --precision 0.9 --threshold 0.5", "threshold and precision: give one of the two"),
        ("tag SHOP --text red --include nothing", "include: no tag is called 'nothing'; give a tag's name, or attr"),
        ("tag SHOP --text red --exclude none=*", "exclude: no tag is called 'none=*'"),
        ("tag SHOP --text red --without bag", "without: expected an expert of the blend (linear, name), came 'bag'"),
        ("tag SHOP --text red --version ../tags/0001", "no version '../tags/0001' of tags"),
        ("tag SHOP --text red --out .", "--out .: is a folder, expected the name of a file"),
        ("tag SHOP --text red --out no/such.jsonl", "--out no/such.jsonl: there is no folder no; make it first"),
        ("check SHOP --html no/such.html", "--html no/such.html: there is no folder no; make it first"),
        ("models SHOP --promote words", "no version 'words' of tags; there are: 0001"),
        ("tags add SHOP 高端", "the Tagger gives '高端' already"),
        ("tags add SHOP 新的 --example none", "there is no product 'none' in the catalogue; give its id, or its text"),
        ("tags rename SHOP 没有 x", "there is no tag '没有'"),
        ("tags merge SHOP 高端 高端", "cannot be merged into itself"),
        ("tags split SHOP 高端 --part x", "--part 'x': expected NEW NAME=word,word"),
        ("tags parent SHOP 高端 高端", "cannot be its own parent"),
        ("tags undo SHOP 1000000", "there is no record 1000000"),
        ("demo SHOP", "exists and is not a demo; choose another folder: tagloom demo OTHER"),
    ],
)
def test_a_wrong_use_is_told_in_one_line(refused, trained_shop, line, told):
    assert told in refused(line, trained_shop)


@pytest.mark.parametrize("command", ["check", "train", "evaluate", "tag", "recommend", "words"])
def test_a_new_shop_says_which_step_comes_first(cli, tmp_path, command):
    shop = Shop.create(tmp_path / "new").folder
    more = {"train": ["tags"], "tag": ["--text", "red"], "recommend": ["u1"], "words": ["red"]}.get(command, [])
    done = cli(command, shop, *more)
    assert done.code == 2
    first = "train" if command in ("evaluate", "tag", "recommend") else "import"
    assert f"run: tagloom {first} {shop}" in done.err
    assert cli("models", shop).out == f"No models yet. Next: tagloom train {shop} tags\n"


def test_without_a_command_the_help_is_shown(cli):
    assert cli().out == cli("--help").out
    assert "tagloom init my-shop" in cli().out


def test_a_fault_of_ours_says_so_and_how_to_see_where(cli, shop):
    (shop / "tables" / "manifest.json").write_text("{", encoding="utf-8")
    done = cli("check", shop)
    assert done.code == 1
    assert "manifest.json: damaged" in done.err


def test_a_program_that_does_not_end_a_pipe_well_is_not_ours_to_mourn(cli, monkeypatch):
    """What typer calls Abort, a refused question, ends like Ctrl-C."""
    monkeypatch.setattr(program, "app", lambda *_, **__: (_ for _ in ()).throw(typer.Abort()))
    assert cli("check").code == 130


# JSON


@pytest.mark.parametrize("words", [words for words in leaves() if words != "demo"])
def test_the_json_of_every_command_is_one_document(cli, shop, trained_shop, recs_shop, tmp_path, words):
    files = trained_shop.parent / "files"
    arguments = {
        "init": [tmp_path / "another"],
        "import": [shop, "--products", files / "products.csv"],
        "words": [shop, "高端"],
        "train": [shop, "words"],
        "tag": [shop, "--text", "牛仔外套"],
        "recommend": [recs_shop, "u0001"],
        "search": [recs_shop, "高端"],
        "post": [recs_shop, "新买的包 #通勤"],
        "tags accept": [shop, "露营神器"],
        "tags decline": [shop, "露营神器"],
        "tags add": [shop, "骑行装备"],
        "tags rename": [shop, "高端", "高级"],
        "tags merge": [shop, "高端", "平价"],
        "tags split": [shop, "高端", "--part", "很高端=的"],
        "tags parent": [shop, "高端", ""],
    }
    if words in ("tags accept", "tags decline"):
        posts = [
            f'{{"user_id": "u{n}", "action": "post", "time": "2026-01-01", "text": "#露营神器"}}' for n in range(3)
        ]
        (tmp_path / "posts.jsonl").write_text("\n".join(posts), encoding="utf-8")
        assert cli("import", shop, "--events", tmp_path / "posts.jsonl").code == 0
    if words in ("tags undo", "tags history"):
        (record,) = json.loads(cli("tags", "rename", shop, "高端", "高级", "--json").out)
        arguments["tags undo"] = [shop, record["number"]]
    assert "--json" in {name for option in leaves()[words].params for name in option.opts}
    done = cli(*words.split(), *arguments.get(words, [shop]), "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)
    assert done.err == ""


def test_json_of_a_tagged_file_is_a_line_a_product(cli, trained_shop):
    new = trained_shop.parent / "files" / "new.jsonl"
    done = cli("tag", trained_shop, new, "--json", "--top", "3")
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert len(answers) == len(new.read_text("utf-8").splitlines())
    for answer in answers:
        assert answer.keys() == {"product_id", "text", "tags"}
        assert len(answer["tags"]) <= 3
        for tag in answer["tags"]:
            assert tag.keys() == {"tag", "id", "confidence", "because"}
            assert 0 <= tag["confidence"] <= 1


# tag


def test_tag_reads_a_file_lines_or_one_text_and_answers_alike(cli, trained_shop, tmp_path):
    texts = ["轻奢 高端 送礼 项链", "学生党 平价 书包"]
    file = tmp_path / "new.csv"
    file.write_text("id,title\n" + "".join(f"{n},{text}\n" for n, text in enumerate(texts)), "utf-8")
    lines = "\ufeff" + "\n\n".join(texts) + "\n"
    from_file = [json.loads(line)["tags"] for line in cli("tag", trained_shop, file, "--json").out.splitlines()]
    piped = [
        json.loads(line) for line in cli("tag", trained_shop, "-", "--json", stdin=lines.encode()).out.splitlines()
    ]
    alone = [json.loads(cli("tag", trained_shop, "--text", text, "--json").out)["tags"] for text in texts]
    assert from_file == alone == [answer["tags"] for answer in piped]
    assert [(answer["product_id"], answer["text"]) for answer in piped] == [("1", texts[0]), ("3", texts[1])]


def test_tag_writes_a_file_in_one_step(cli, trained_shop, tmp_path):
    new = trained_shop.parent / "files" / "new.jsonl"
    out = tmp_path / "tagged.jsonl"
    done = cli("tag", trained_shop, new, "--out", out)
    assert done.out == f"Tagged 40 products: {out}\n"
    assert out.read_text("utf-8") == cli("tag", trained_shop, new, "--json").out
    assert json.loads(cli("tag", trained_shop, new, "--out", out, "--json").out) == {"tagged": 40, "out": str(out)}
    assert list(tmp_path.iterdir()) == [out]


def test_lines_that_are_no_utf8_are_told_by_number(cli, trained_shop):
    done = cli("tag", trained_shop, "-", stdin="牛仔\n".encode() + "外套\n".encode("gb18030"))
    assert done.code == 2
    assert "standard input, line 2: byte 1 is no UTF-8" in done.err


def test_no_input_is_no_answer(cli, trained_shop):
    assert cli("tag", trained_shop, "-", "--json").out == ""
    empty = cli("tag", trained_shop, "--text", " ")
    assert empty.code == 0
    assert "none sure enough" in empty.out


def test_bad_rows_of_a_file_to_tag_are_named_and_passed_over(cli, trained_shop, tmp_path):
    (tmp_path / "new.jsonl").write_text('{"id": "1", "title": "牛仔外套"}\n{"id": \n', "utf-8")
    done = cli("tag", trained_shop, tmp_path / "new.jsonl", "--json")
    assert [json.loads(line)["product_id"] for line in done.out.splitlines()] == ["1"]
    assert "new.jsonl, line 2" in done.err
    assert "passed over" in done.err


def test_fewer_or_surer_tags_can_be_asked_for(cli, trained_shop):
    def tags(*options):
        return json.loads(cli("tag", trained_shop, "--text", "高端 送礼", "--json", *options).out)["tags"]

    many = tags("--threshold", "0", "--top", "50")
    assert len(many) == 50
    assert tags("--threshold", "0", "--top", "2") == many[:2]
    assert all(tag["confidence"] >= 0.9 for tag in tags("--threshold", "0.9", "--top", "50"))
    assert [tag["confidence"] for tag in many] == sorted((tag["confidence"] for tag in many), reverse=True)


def test_tags_can_be_wanted_unwanted_and_promised(cli, trained_shop):
    def tags(*options):
        asked = ["tag", trained_shop, "--text", "轻奢 高端 送礼 项链", "--json", *options]
        return [tag["tag"] for tag in json.loads(cli(*asked).out)["tags"]]

    assert tags("--threshold", "0", "--top", "50", "--include", "价位=*", "--include", "送礼")
    assert set(tags("--threshold", "0", "--include", "价位=*", "--include", "送礼", "--top", "50")) == {
        "价位=高端",
        "价位=中端",
        "价位=平价",
        "送礼",
    }
    many = tags("--top", "50")
    assert "高端" in many
    assert tags("--top", "50", "--exclude", "高端") == [tag for tag in many if tag != "高端"]
    surer = tags("--precision", "0.95", "--top", "50")
    assert set(surer) < set(tags("--precision", "0.6", "--top", "50"))


def test_an_expert_can_be_left_out(cli, trained_shop):
    def confidences(*options):
        asked = ["tag", trained_shop, "--text", "轻奢 高端 送礼 项链", "--json", "--threshold", "0", *options]
        return [tag["confidence"] for tag in json.loads(cli(*asked).out)["tags"]]

    assert len({tuple(confidences(*some)) for some in ([], ["--without", "name"], ["--without", "linear"])}) == 3


# train


def test_the_help_of_train_names_every_encoder_model_and_size():
    helps = {param.name: param.help for param in leaves()["train"].params}
    for settings, option in ((TaggerSettings, "encoder"), (RecommenderSettings, "model"), (TaggerSettings, "size")):
        for name in get_args(settings.model_fields[option].annotation):
            assert re.search(rf"\b{name}\b", helps[option]), name


def test_an_encoder_and_its_size_can_be_chosen_for_once(cli, shop):
    done = cli("train", shop, "tags", "--encoder", "nearest", "--size", "small", "--epochs", "1", "--json")
    assert done.code == 0, done.err
    settings = Shop.open(shop).versions()[1].manifest.settings
    assert (settings["encoder"], settings["size"], settings["epochs"]) == ("nearest", "small", 1)


# tags add


def test_a_tag_is_added_from_examples_and_given(cli, shop):
    examples = [option for text in ("送礼 高端 骑行装备", "骑行装备 平价") for option in ("--text", text)]
    done = cli("tags", "add", shop, "骑行装备", "--alias", "单车", *examples)
    assert done.code == 0, done.err
    assert "Added 骑行装备 (" in done.out
    assert "Version 0002 gives it, and is now current." in done.out
    assert f"tagloom models {shop} --promote 0001" in done.out
    (listed,) = json.loads(cli("tags", "list", shop, "--like", "骑行", "--json").out)
    assert listed["aliases"] == ["单车"]
    asked = ["tag", shop, "--text", "骑行装备 高端 送礼", "--json", "--threshold", "0", "--include", "骑行装备"]
    (answer,) = json.loads(cli(*asked).out)["tags"]
    assert answer["id"] == listed["id"]
    assert answer["confidence"] > 0.3


def test_products_are_examples_by_their_ids(cli, shop):
    wanted = Shop.open(shop).products.frame["product_id"].to_list()[:2]
    done = cli("tags", "add", shop, "头两件", "--example", wanted[0], "--example", wanted[1], "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["version"], told["tag"], told["to"]) == ("0002", "头两件", "0001")
    assert told["metrics"]["nDCG@10"] > 0.3


# import


def test_the_three_column_file_is_imported_as_it_is(cli, tmp_path):
    shop = Shop.create(tmp_path / "three").folder
    actions, cuts = ("牛仔 外套", "buy"), ("修身", "宽松", "宽松")
    lines = [f'{actions[n % 2]},第{n}款牛仔外套,"牛仔,{cuts[n % 3]}"' for n in range(20)]
    (tmp_path / "data.csv").write_text("user_action,product_desc,label\n" + "\n".join(lines) + "\n", "utf-8")
    done = cli("import", shop, tmp_path / "data.csv", "--json")
    assert done.code == 0, done.err
    assert [(report["table"], report["kept"]) for report in json.loads(done.out)] == [("products", 20), ("events", 20)]
    opened = Shop.open(shop)
    assert opened.raw_products.frame["tags"][1].to_list() == ["牛仔", "宽松"]
    assert opened.products.frame["tags"][1].to_list() == ["宽松"]  # the other is on every product
    assert set(opened.events.frame["action"]) == {"purchase", "search"}


def test_a_table_of_what_was_read_kept_mended_and_rejected(cli, trained_shop, tmp_path):
    shop = Shop.create(tmp_path / "new").folder
    out = cli("import", shop, "--products", trained_shop.parent / "files" / "products.csv").out
    assert "products.csv -> products, utf-8" in out
    for word in ("read", "kept", "mended", "rejected", "product_id: empty"):
        assert word in out


def test_columns_that_were_not_used_are_named(cli, tmp_path):
    shop = Shop.create(tmp_path / "new").folder
    (tmp_path / "goods.csv").write_text("id,title,shelf life\n1,牛仔外套,3\n", "utf-8")
    out = cli("import", shop, tmp_path / "goods.csv").out
    assert "Columns not used: shelf life (map them in [read] of tagloom.toml)" in out


# models, words, evaluate


def test_an_older_version_can_be_made_to_answer(cli, shop):
    assert cli("train", shop, "tags", "--encoder", "popular").code == 0
    listed = [model for model in json.loads(cli("models", shop, "--json").out) if model["job"] == "tags"]
    assert [(model["version"], model["current"]) for model in listed] == [("0001", False), ("0002", True)]
    assert all(model["bytes"] and model["data"]["products"] and model["metrics"] for model in listed)
    assert "0001" in cli("models", shop, "--promote", "0001").out
    assert json.loads(cli("models", shop, "--json").out)[0]["current"]
    assert json.loads(cli("evaluate", shop, "--json", "--version", "0002").out)["version"] == "0002"


def test_words_trains_word_vectors_once_and_again_when_the_catalogue_changed(cli, shop, tmp_path):
    unknown = cli("words", shop, "没有的词")
    assert unknown.code == 2
    assert "'没有的词' has no word vector" in unknown.err
    near = json.loads(cli("words", shop, "高端", "--top", "3", "--json").out)
    assert len(near) == 3
    assert all(-1 <= word["cosine"] <= 1 for word in near)
    assert json.loads(cli("words", shop, "高端", "--top", "3", "--json").out) == near
    words = [version.name for version in Shop.open(shop).versions() if version.job == "words"]
    assert words == ["0001"]
    (tmp_path / "more.csv").write_text("id,title,tags\nx1,新的一件,高端\n", "utf-8")
    assert cli("import", shop, tmp_path / "more.csv").code == 0
    assert cli("words", shop, "高端").code == 0
    assert [version.name for version in Shop.open(shop).versions() if version.job == "words"] == ["0001", "0002"]


def test_figures_hold_for_the_same_held_out_products_each_time(cli, trained_shop):
    first, second = (json.loads(cli("evaluate", trained_shop, "--json").out) for _ in range(2))
    assert first == second
    listed = json.loads(cli("models", trained_shop, "--json").out)
    assert first["metrics"] == pytest.approx(listed[0]["metrics"])


@pytest.mark.slow
def test_folds_give_mean_and_spread(cli, shop):
    found = json.loads(cli("evaluate", shop, "--folds", "2", "--json").out)
    assert found["folds"] == 2
    assert found["mean"].keys() == found["std"].keys()
    assert 0 < found["mean"]["nDCG@10"] < 1


def test_check_writes_the_report_where_it_is_asked_to(cli, shop, tmp_path):
    done = cli("check", shop, "--html", tmp_path / "report.html", "--top", "2")
    assert f"The whole report, with plots: {tmp_path / 'report.html'}" in done.out
    assert "... and" in done.out
    assert (tmp_path / "report.html").exists()
    assert not (shop / "check.html").exists()


# demo


@pytest.mark.slow
def test_the_demo_runs_from_nothing_and_again(run_cli, tmp_path):
    done = run_cli("demo", "sample-shop", "--products", "400")
    assert done.code == 0, done.err
    assert "6. Tag products that nobody tagged" in done.out
    assert "9. Recommend products and tags to this user" in done.out
    assert done.err == ""
    again = run_cli("demo", "sample-shop", "--products", "400", "--json")
    assert again.code == 0, again.err
    told = json.loads(again.out)
    assert told["metrics"]["tags"]["nDCG@10"] > 0.4
    assert told["metrics"]["recs"]["HR@10"] > 0.2
    assert [path.name for path in tmp_path.iterdir()] == ["sample-shop"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me", encoding="utf-8")
    assert run_cli("demo", "mine").code == 2
    assert (tmp_path / "mine" / "notes.txt").read_text(encoding="utf-8") == "keep me"
