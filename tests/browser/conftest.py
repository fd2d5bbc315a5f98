"""A real browser for the tests of pages."""

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
