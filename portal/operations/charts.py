"""Bar charts drawn by the server: where each bar stands, for ``<c-chart>`` to draw as SVG.

No script and no library: a chart is a few rectangles. Colours are classes that follow the theme's
tokens, light and dark. The figures stand in a table beside it, which is the chart's alternative for
whoever does not see it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

COLOURS = 6
"""So many series can be told apart; the smallest of more are drawn as one."""
WIDTH, HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 8, 24, 34
_BAR_SHARE = 0.68  # of a column's width
_MOST_LABELS = 14
_TICKS = 5


@dataclass(frozen=True)
class Series:
    """One value for each column, none below zero."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True)
class Bar:
    """A piece of a column. Places are ready for SVG: no locale's comma gets into them."""

    x: str
    y: str
    width: str
    height: str
    colour: int
    words: str


@dataclass(frozen=True)
class Mark:
    """A tick of the scale, or the label or total of a column."""

    at: str
    text: str


@dataclass(frozen=True)
class StackedBars:
    """A chart as ``<c-chart :chart="chart" id="…" />`` draws it."""

    title: str
    description: str
    unit: str
    bars: list[Bar]
    ticks: list[Mark]
    labels: list[Mark]
    totals: list[tuple[Mark, str]]
    """Each column's total, and how far down it stands."""
    legend: list[tuple[int, str]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    base: int = HEIGHT - _BOTTOM


def stacked_bars(
    *, title: Any, description: Any, unit: Any, columns: Sequence[str], series: Sequence[Series]
) -> StackedBars | None:
    """The series stacked in each column, the largest series at the bottom. None without a value.

    ValueError for a series that has not one value above or equal to zero for each column.
    """
    for each in series:
        if len(each.values) != len(columns) or any(
            not math.isfinite(value) or value < 0 for value in each.values
        ):
            raise ValueError(f"{each.name!r} needs a value of zero or more for each column")
    drawn = _largest([each for each in series if any(each.values)])
    sums = [sum(each.values[number] for each in drawn) for number in range(len(columns))]
    if not drawn:
        return None
    top = _nice_top(max(sums))
    step = (WIDTH - _LEFT - _RIGHT) / len(columns)
    every = math.ceil(len(columns) / _MOST_LABELS)
    middles = [_LEFT + step * (number + 0.5) for number in range(len(columns))]
    return StackedBars(
        title=str(title),
        description=str(description),
        unit=str(unit),
        bars=_bars(columns, drawn, middles, step * _BAR_SHARE, top, str(unit)),
        ticks=[
            Mark(_place(_height_of(top * number / _TICKS, top)), _number(top * number / _TICKS))
            for number in range(_TICKS + 1)
        ],
        labels=[
            Mark(_place(middle), column)
            for number, (middle, column) in enumerate(zip(middles, columns, strict=True))
            if number % every == 0
        ],
        totals=[
            (Mark(_place(middle), _number(total)), _place(_height_of(total, top) - 5))
            for middle, total in zip(middles, sums, strict=True)
            if total and every == 1
        ],
        legend=[(number, each.name) for number, each in enumerate(drawn, start=1)],
    )


def example_chart() -> StackedBars | None:
    """For the gallery of the design system."""
    return stacked_bars(
        title=_("Delivered activity, by tracer"),
        description=_("An example with three tracers in four months."),
        unit="MBq",
        columns=["Aug 26", "Sep 26", "Oct 26", "Nov 26"],
        series=[
            Series("FDG", [182_000, 210_500, 198_250, 224_000]),
            Series("PSMA", [42_000, 38_500, 51_000, 47_300]),
            Series("NaF", [12_000, 0, 9_400, 15_800]),
        ],
    )


def _largest(series: list[Series]) -> list[Series]:
    """As many as can be told apart, the largest first; the others together last."""
    by_size = sorted(series, key=lambda each: (-sum(each.values), each.name))
    if len(by_size) <= COLOURS:
        return by_size
    rest = by_size[COLOURS - 1 :]
    values = [sum(column) for column in zip(*(each.values for each in rest), strict=True)]
    return [*by_size[: COLOURS - 1], Series(_("Others"), values)]


def _bars(
    columns: Sequence[str],
    drawn: list[Series],
    middles: list[float],
    width: float,
    top: float,
    unit: str,
) -> list[Bar]:
    bars = []
    for number, column in enumerate(columns):
        below = 0.0
        for colour, each in enumerate(drawn, start=1):
            value = each.values[number]
            if not value:
                continue
            upper, lower = _height_of(below + value, top), _height_of(below, top)
            below += value
            bars.append(
                Bar(
                    x=_place(middles[number] - width / 2),
                    y=_place(upper),
                    width=_place(width),
                    height=_place(lower - upper),
                    colour=colour,
                    words=f"{column}, {each.name}: {_number(value)} {unit}",
                )
            )
    return bars


def _height_of(value: float, top: float) -> float:
    whole = HEIGHT - _TOP - _BOTTOM
    return _TOP + whole * (1 - value / top)


def _nice_top(largest: float) -> float:
    """The end of a scale of five ticks that people can read: 1, 2, 2.5 or 5 times a power of 10."""
    least = largest / _TICKS
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least)
    return step * _TICKS


def _place(value: float) -> str:
    return f"{value:.1f}"


def _number(value: float) -> str:
    digits = 0 if value == round(value) or value >= 10 else 1
    rounded = round(value, digits)  # number_format cuts the digits off
    return number_format(rounded, decimal_pos=digits, use_l10n=True, force_grouping=True)
