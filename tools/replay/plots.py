"""Plots as SVG, drawn by hand: a report is one file that needs nothing from anywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#1f5fa8", "#c2571a", "#3b8b3b", "#8a3fa0", "#b02a37", "#5b6670")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 320, 70, 16, 14, 46
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Series:
    """One line."""

    name: str
    points: Sequence[tuple[float, float]]


def line_plot(title: str, series: Sequence[Series], x_title: str, y_title: str) -> str:
    """Return lines over shared axes that begin at zero, with a legend below."""
    x_most = max((x for s in series for x, _ in s.points), default=0) or 1.0
    y_most = max((y for s in series for _, y in s.points), default=0) or 1.0
    x_step, y_step = _step(x_most), _step(y_most)
    x_most, y_most = math.ceil(x_most / x_step) * x_step, math.ceil(y_most / y_step) * y_step

    def place(x: float, y: float) -> str:
        across = _LEFT + x / x_most * (_WIDTH - _LEFT - _RIGHT)
        down = _HEIGHT - _BOTTOM - y / y_most * (_HEIGHT - _TOP - _BOTTOM)
        return f"{across:.1f},{down:.1f}"

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"><title>{escape(title)}</title>']
    for tick in range(round(y_most / y_step) + 1):
        x1, y1 = place(0, tick * y_step).split(",")
        parts.append(f'<line class="grid" x1="{x1}" y1="{y1}" x2="{_WIDTH - _RIGHT}" y2="{y1}"/>')
        parts.append(
            f'<text x="{_LEFT - 6}" y="{float(y1) + 4:.1f}" text-anchor="end">{tick * y_step:g}</text>'
        )
    for tick in range(round(x_most / x_step) + 1):
        x1, y1 = place(tick * x_step, 0).split(",")
        parts.append(f'<text x="{x1}" y="{float(y1) + 16:.1f}" text-anchor="middle">{tick * x_step:g}</text>')
    for number, one in enumerate(series):
        line = " ".join(place(x, y) for x, y in one.points)
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" points="{line}"/>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x_title)}</text>')
    parts.append(
        f'<text transform="rotate(-90)" x="{-_HEIGHT / 2}" y="14" text-anchor="middle">{escape(y_title)}</text>'
    )
    legend = "".join(
        f'<span><i style="background:{COLOURS[n % len(COLOURS)]}"></i>{escape(one.name)}</span>'
        for n, one in enumerate(series)
    )
    return f'<figure><figcaption>{escape(title)}</figcaption>{"".join(parts)}</svg><p class="legend">{legend}</p></figure>'


def _step(most: float) -> float:
    """Return the distance of about five ticks: 1, 2 or 5 times a power of ten."""
    raw = most / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= raw * 0.999)
