"""Charts drawn by the server: the figures decide where the bars stand, in any language."""

from __future__ import annotations

import re

import pytest
from django.template import engines
from django.utils import translation
from django_cotton.compiler_regex import CottonCompiler
from hypothesis import given
from hypothesis import strategies as st

from portal.operations.charts import COLOURS, HEIGHT, Series, example_chart, stacked_bars

pytestmark = pytest.mark.requirement("PT-046")


def chart(series, columns=("Oct", "Nov")):
    return stacked_bars(
        title="Delivered", description="By month", unit="MBq", columns=columns, series=series
    )


def html_of(drawn):
    """As a page shows it."""
    source = CottonCompiler().process('<c-chart :chart="chart" id="c" />')
    return engines["django"].from_string(source).render({"chart": drawn})


def heights(drawn, colour):
    return [float(bar.height) for bar in drawn.bars if bar.colour == colour]


def test_bars_are_as_high_as_their_values_and_stand_on_each_other():
    drawn = chart([Series("FDG", [100, 50]), Series("Water", [0, 25])])

    whole, half = heights(drawn, 1)
    (quarter,) = heights(drawn, 2)
    assert half == pytest.approx(whole / 2, abs=0.11)
    assert quarter == pytest.approx(whole / 4, abs=0.11)
    lower, upper = drawn.bars[1], drawn.bars[2]
    assert float(upper.y) + float(upper.height) == pytest.approx(float(lower.y), abs=0.11)
    assert drawn.legend == [(1, "FDG"), (2, "Water")]
    assert drawn.bars[0].words == "Oct, FDG: 100 MBq"


def test_nothing_is_drawn_of_nothing():
    assert chart([]) is None
    assert chart([Series("FDG", [0, 0])]) is None


def test_the_smallest_of_many_are_one():
    drawn = chart([Series(f"T{number}", [number, 1]) for number in range(1, 10)])

    assert [name for _colour, name in drawn.legend] == ["T9", "T8", "T7", "T6", "T5", "Others"]
    assert len(drawn.legend) == COLOURS


@pytest.mark.parametrize("values", [[1], [1, -1], [1, float("nan")], [1, float("inf")]])
def test_values_that_cannot_be_drawn_are_refused(values):
    with pytest.raises(ValueError, match="FDG"):
        chart([Series("FDG", values)])


@given(
    st.lists(st.lists(st.floats(0, 1e9), min_size=3, max_size=3), min_size=1, max_size=9).filter(
        lambda rows: any(value > 1e-3 for row in rows for value in row)
    )
)
def test_no_bar_leaves_the_drawing_and_the_scale_holds_the_highest(rows):
    drawn = chart([Series(str(number), row) for number, row in enumerate(rows)], ("A", "B", "C"))

    for bar in drawn.bars:
        assert 0 <= float(bar.y) <= HEIGHT
        assert float(bar.y) + float(bar.height) <= drawn.base + 0.2


def test_in_a_language_with_a_decimal_comma_the_places_stay_numbers():
    with translation.override("da"):
        drawn = chart([Series("FDG", [1234.5, 0.5])])
        html = html_of(drawn)

    assert html.count("<rect") == 3  # two bars and the key
    assert re.findall(r'(?:x|y|width|height|x1|x2|y1|y2)="[^"]*,[^"]*"', html) == []
    assert drawn.bars[1].words.endswith("0,5 MBq")


def test_the_drawing_says_in_words_what_it_is_and_holds_no_style():
    html = html_of(chart([Series("<b>FDG</b>", [1, 2])]))

    assert 'role="img" aria-labelledby="c-title c-desc"' in html
    assert '<title id="c-title">Delivered (MBq)</title>' in html
    assert '<desc id="c-desc">By month</desc>' in html
    assert "style=" not in html
    assert "<b>" not in html


def test_the_gallery_shows_one():
    source = CottonCompiler().process('<c-chart :chart="example_chart" id="c" />')
    html = engines["django"].from_string(source).render({"example_chart": example_chart})

    assert html.count('class="chart__bar chart__bar--1"') == 5  # four months and the key
    assert html.count('class="chart__bar chart__bar--3"') == 4  # one month has none
