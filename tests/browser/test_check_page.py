"""The check report in a real browser: quiet, fetching nothing, legible in Chinese and on a telephone."""

from __future__ import annotations

import json

import pytest

from tagloom.shop import Shop

EVIL = "<script>alert(1)</script>"
LONG = "一个很长很长很长很长很长很长很长的标签"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report on a shop whose texts are as awkward as they get."""
    folder = tmp_path_factory.mktemp("browser")
    rows = [
        {
            "id": f"p{number}",
            "title": f"{EVIL} 牛仔外套 {number}",
            "description": "معطف أحمر من الجينز"
            if number % 2
            else "<img src=https://outside.example/x.png onerror=alert(2)>",
            "tags": ["牛仔", EVIL, LONG, "$5_{a}$", "أحمر", f"标签{number % 20}号", "🎁 送礼"],
        }
        for number in range(60)
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "goods.jsonl").write_text(lines, encoding="utf-8")
    shop = Shop.create(folder / "shop")
    path = shop.folder / "tagloom.toml"
    settings = path.read_text(encoding="utf-8").replace("max_share = 0.9", "max_share = 1.0")
    path.write_text(settings, encoding="utf-8")
    shop = Shop.open(shop.folder)
    shop.load(products=[folder / "goods.jsonl"])
    from tagloom.measure.catalogue import check_catalogue, write_html

    target = folder / "check.html"
    write_html(check_catalogue(shop.raw_products, shop.products, shop.events, shop.clean()), target)
    return target


def test_the_users_text_is_text(opened):
    page = opened(1200)
    assert page.locator("script, img").count() == 0
    assert EVIL in page.locator("body").inner_text()


def test_chinese_and_arabic_are_drawn_and_not_boxes(opened):
    """Letters that no font has are all drawn as the same box."""
    page = opened(1200)
    inks = page.evaluate(
        """() => ["牛", "仔", "外", "套"].map(letter => {
            const canvas = document.createElement("canvas").getContext("2d");
            canvas.font = getComputedStyle(document.body).font;
            canvas.fillText(letter, 20, 50);
            return canvas.getImageData(0, 0, 80, 80).data.join();
        })"""
    )
    if len(set(inks)) == 1:
        pytest.skip("no Chinese font here (apt-get install fonts-noto-cjk)")
    assert len(set(inks)) == 4
    assert page.locator("td", has_text="牛仔").first.is_visible()
    assert page.locator("svg text", has_text="牛仔").first.is_visible()


@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_is_no_wider_than_its_window(opened, width):
    page = opened(width)
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_no_label_of_a_plot_is_cut_off(opened, cut_labels):
    assert cut_labels(opened(1200)) == []


def test_folded_rows_open_and_the_contents_lead_to_their_part(opened):
    page = opened(1200)
    summary = page.locator("summary").first
    hidden = page.locator("details td").first
    assert not hidden.is_visible()
    summary.click()
    assert hidden.is_visible()
    link = page.locator("nav a").last
    link.click()
    assert page.locator("h2", has_text=link.inner_text()).last.is_visible()
