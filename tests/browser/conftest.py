"""A real browser for the tests of pages, and what holds of every page."""

from __future__ import annotations

import os
import shutil

import pytest


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; where there is none: skip, or fail if that was forbidden."""
    forbidden = os.environ.get("TAGLOOM_REQUIRE_CHROMIUM")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        reason = "no Chromium here: neither chromium nor google-chrome is in PATH (apt-get install chromium)"
        (pytest.fail if forbidden else pytest.skip)(reason)
    if not forbidden:
        pytest.importorskip("playwright", reason="playwright is not installed: pip install playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        # Without the sandbox, as root in a container has none.
        chromium = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, report):
    """`opened(width)` is the module's `report` in a window of that width; at the end it must have kept quiet."""
    said, asked, pages = [], [], []

    def open_page(width):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(report.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert not said
    assert set(asked) == {report.as_uri()}


@pytest.fixture
def cut_labels():
    """`cut_labels(page)` are the labels of plots that stand out of their plot."""
    script = """() => [...document.querySelectorAll("svg text")].filter(text => {
        const box = text.getBoundingClientRect(), frame = text.closest("svg").getBoundingClientRect();
        return box.left < frame.left - 1 || box.right > frame.right + 1;
    }).map(text => text.textContent)"""
    return lambda page: page.evaluate(script)
