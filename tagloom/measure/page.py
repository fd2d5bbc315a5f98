"""HTML pages of tables and plots: one file, no script, nothing fetched; user's text is always escaped."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

Section = tuple[str, str, Sequence[str], Sequence[Sequence[Any]], "Plot | None"]


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
            "meaning": meaning,
            "columns": columns,
            "numeric": [all(isinstance(row[ix], (int, float)) for row in rows) for ix in range(len(columns))],
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
    figure, axes = _figure(0.28 * len(names) + 0.9)
    positions = range(len(names))
    drawn = axes.barh(positions, values, color="#4a90c4", height=0.7)
    axes.bar_label(drawn, [f"{value:,.0f}" for value in values], padding=3, fontsize=8)
    axes.set_yticks(positions, [_plain(name) for name in names])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel(unit)
    return _drawn(figure)


def histogram(values: Sequence[float], label: str, unit: str) -> Plot:
    """How often each range of values occurs."""
    figure, axes = _figure(2.4)
    axes.hist(values, bins=40, color="#4a90c4")
    axes.set_xlabel(label)
    axes.set_ylabel(unit)
    return _drawn(figure)


def _figure(height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
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


def _plain(name: str) -> str:
    """A tag's name as a label: `$` would begin a formula."""
    return name.replace("$", r"\$")
