"""HTML pages of tables and plots: one file, no script, nothing fetched; user's text is always escaped."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

Section = tuple[str, str, Sequence[str], Sequence[Sequence[Any]], "Plot | None"]

_WIDTH, _LABEL, _LONGEST_LABEL = 7.5, 8, 28  # inches, points, letters


@dataclass(frozen=True)
class Plot:
    """A drawing as SVG text."""

    svg: str


def page(title: str, sections: Sequence[Section]) -> str:
    """A page of sections: title, meaning, column names, rows, plot or None."""
    import jinja2

    parts = [
        {
            "title": name,
            "meaning": _with_code(meaning),
            "columns": columns,
            "numeric": [all(map(_is_number, column)) for column in zip(*rows, strict=True)],
            "rows": [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows],
            "plot": plot.svg if plot else "",
        }
        for name, meaning, columns, rows, plot in sections
    ]
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = (resources.files("tagloom.measure") / "page.html").read_text("utf-8")
    return environment.from_string(template).render(title=title, parts=parts)


def bars(names: Sequence[str], values: Sequence[float], unit: str) -> Plot:
    """Horizontal bars, the first on top."""
    height = 0.28 * len(names) + 0.9
    figure, axes = _figure(height)
    labels = [_short(name) for name in names]
    # Not matplotlib's own layout: this machine may lack the letters, and then it cannot know how wide they are.
    left = (max(map(_ems, labels), default=0) * _LABEL / 72 + 0.15) / _WIDTH
    figure.subplots_adjust(left=left, right=0.98, top=1 - 0.05 / height, bottom=0.5 / height)
    positions = range(len(names))
    drawn = axes.barh(positions, values, color="#4a90c4", height=0.7)
    axes.bar_label(drawn, [f"{value:,.0f}" for value in values], padding=3, fontsize=_LABEL)
    axes.set_yticks(positions, labels, parse_math=False)
    axes.invert_yaxis()
    axes.margins(x=0.12, y=0.02)
    axes.set_xlabel(unit)
    return _drawn(figure)


def histogram(values: Sequence[float], label: str, unit: str) -> Plot:
    """How often each range of values occurs."""
    figure, axes = _figure(2.4)
    figure.set_layout_engine("constrained")
    axes.hist(values, bins=40, color="#4a90c4")
    axes.set_xlabel(label)
    axes.set_ylabel(unit)
    return _drawn(figure)


def _figure(height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height))
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=_LABEL)
    return figure, axes


def _drawn(figure: Any) -> Plot:
    import warnings

    import matplotlib as mpl

    target = io.StringIO()
    # Letters stay letters: the reader's browser has the fonts, also for Chinese, that this machine may lack.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tagloom"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(target, format="svg", metadata={"Date": None})
    svg = target.getvalue()
    return Plot(svg[svg.index("<svg") :])


def _with_code(text: str) -> Any:
    """Commands in backquotes as code; all else escaped."""
    import markupsafe

    return markupsafe.Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(markupsafe.escape(text))))  # noqa: S704


def _is_number(cell: Any) -> bool:
    return isinstance(cell, (int, float)) or (isinstance(cell, str) and bool(re.fullmatch(r"[\d.]+%", cell)))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"


def _ems(text: str) -> float:
    """How wide a text is, in letter heights: Chinese letters and pictures are square."""
    return sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.65 for letter in text)
