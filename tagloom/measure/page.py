"""HTML pages of tables and plots: one file, no script, nothing fetched; user's text is always escaped."""

from __future__ import annotations

import io
import itertools
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

Section = tuple[str, str, Sequence[str], Sequence[Sequence[Any]], "Plot | None"]

_WIDTH, _LABEL, _LONGEST_LABEL = 7.5, 8, 28  # inches, points, letters
_COLOURS = ("#4a90c4", "#d9822b", "#4f9a55", "#8a5fb0")
_MARKED = 40  # points of a line, above which they are not drawn each
_LONG = 60  # letters of a cell that needs room


@dataclass(frozen=True)
class Plot:
    """A drawing as SVG text."""

    svg: str


@dataclass(frozen=True)
class Panel:
    """Lines in one frame.

    Args:
        lines: by name, each with its x and y values.
        x, y: what the axes show.
        shares: both axes go from 0 to 1.
        diagonal: also draw where y = x.
        points: by name, single points to mark.
    """

    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    x: str
    y: str
    shares: bool = False
    diagonal: bool = False
    points: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def page(title: str, sections: Sequence[Section]) -> str:
    """A page of sections: title, meaning, column names, rows, plot or None."""
    import jinja2

    parts = [
        {
            "title": name,
            "meaning": _with_code(meaning),
            "columns": columns,
            "numeric": [all(map(_is_number, column)) for column in zip(*rows, strict=True)],
            "long": [any(len(str(cell)) > _LONG for cell in column) for column in zip(*rows, strict=True)],
            "rows": [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows],
            "plot": plot.svg if plot else "",
        }
        for name, meaning, columns, rows, plot in sections
    ]
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = (resources.files("tagloom.measure") / "page.html").read_text("utf-8")
    return environment.from_string(template).render(title=title, parts=parts)


def bars(names: Sequence[str], values: Sequence[float], unit: str, digits: int = 0) -> Plot:
    """Horizontal bars, the first on top, each with its value."""
    height = 0.28 * len(names) + 0.9
    figure, axes = _figure(height)
    labels = [_short(name) for name in names]
    # Not matplotlib's own layout: this machine may lack the letters, and then it cannot know how wide they are.
    left = (max(map(_ems, labels), default=0) * _LABEL / 72 + 0.15) / _WIDTH
    figure.subplots_adjust(left=left, right=0.98, top=1 - 0.05 / height, bottom=0.5 / height)
    positions = range(len(names))
    drawn = axes.barh(positions, values, color="#4a90c4", height=0.7)
    axes.bar_label(drawn, [f"{value:,.{digits}f}" for value in values], padding=3, fontsize=_LABEL)
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


def curves(panels: Sequence[Panel]) -> Plot:
    """Frames with lines, side by side."""
    figure, *frames = _figure(3.1, len(panels))
    figure.set_layout_engine("constrained")
    for axes, panel in zip(frames, panels, strict=True):
        if panel.diagonal:
            axes.plot([0, 1], [0, 1], color="#b4bec8", linestyle="--", linewidth=1)
        for (name, (x, y)), colour in zip(panel.lines.items(), itertools.cycle(_COLOURS)):
            axes.plot(x, y, label=name, color=colour, marker="o" if len(x) <= _MARKED else "", markersize=3)
        for name, (at_x, at_y) in panel.points.items():
            axes.plot([at_x], [at_y], label=name, color="#c0392b", marker="D", markersize=6, linestyle="")
        if panel.shares:
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        elif all(float(at).is_integer() for x, _ in panel.lines.values() for at in x):
            axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel(panel.x)
        axes.set_ylabel(panel.y)
        axes.legend(fontsize=_LABEL, frameon=False)
    return _drawn(figure)


def _figure(height: float, frames: int = 1) -> Any:
    """A figure and its frames, side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height))
    drawn = [figure.add_subplot(1, frames, number) for number in range(1, frames + 1)]
    for axes in drawn:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=_LABEL)
    return figure, *drawn


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
    return isinstance(cell, (int, float)) or (
        isinstance(cell, str) and bool(re.fullmatch(r"[\d.]+%|-?\d+\.\d{3,4}", cell))
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"


def _ems(text: str) -> float:
    """How wide a text is, in letter heights: Chinese letters and pictures are square."""
    return sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.65 for letter in text)
