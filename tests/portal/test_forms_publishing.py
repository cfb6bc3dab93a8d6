"""A form is published only when everything in it holds; what does not is named with its place."""

from __future__ import annotations

from typing import Any

import pytest

from portal.forms.rules.definition import Form
from portal.forms.rules.dependencies import graph_of, order_of, touched_by
from portal.forms.rules.faults import Faulty
from portal.forms.rules.publishing import faults_of, require_publishable
from portal.forms.rules.terms import Term, Type
from tests.support.definitions import check, form, form_a, group, item

computed = {"kind": "computed", "result": "decimal"}


def said(made: Form, **outside: Term) -> list[str]:
    return [str(fault) for fault in faults_of(made, outside)]


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ([item("A"), item("A")], "section 1, item A: the code “A” is used twice"),
        ([item("A"), group("A", item("B"))], "section 1, group A: the code “A” is used twice"),
        ([item("A 1")], "section 1, item A 1: “A 1” is no code"),
        ([item("today")], "section 1, item today: “today” is no code"),
        ([item("sum")], "section 1, item sum: “sum” is no code"),
        ([item("A", label={})], "section 1, item A: “label” has no text in en"),
        ([item("A", label={"en": "A", "nl": "A"})], "“label” has a text in nl"),
        ([item("A", help={"nl": "A"})], "“help” has no text in en"),
        ([item("A", "single choice")], "section 1, item A: a choice needs a code list"),
        ([item("A", "single choice", code_list="x")], "there is no code list “x”"),
        ([item("A", missing_codes=["zz"])], "there is no missing-value code “zz”"),
        ([item("A", unit="kg"), item("B", "text", unit="kg")], "item B: “unit” has no meaning"),
        ([item("A", decimals=2)], "“decimals” has no meaning for the kind integer"),
        ([item("A", "decimal", decimals=99)], "“decimals” is “99”"),
        ([item("A", "text", longest=0)], "“longest” is “0”"),
        ([item("A", "text", pattern="(")], "the pattern cannot be read at character 1"),
        ([item("A", "boolean", limits={"least": "1"})], "“limits” has no meaning"),
        ([item("A", limits={"least": "x"})], "“limits” is “x”"),
        ([item("A", limits={"least": "9", "most": "1"})], "lowest value 9 is above the highest 1"),
        ([item("A", "date", limits={"most": "today"})], None),
        ([item("A", limits={"most": "today"})], "“limits” is “today”"),
        ([item("A", default="x")], "“default” is “x”"),
        ([item("A", default="3", required=True)], None),
        ([item("A", required=True, required_if="true")], "required, or required if; not both"),
        ([item("A", "computed")], "a computed item needs a rule and the kind of its result"),
        ([item("A", "computed", rule="1", result="file")], "“result” is “file”"),
        ([item("A", rule="1 + 1")], "“rule” has no meaning for the kind integer"),
        ([item("A", **computed, rule='"x"')], "item A, rule: the rule gives a text; here it must"),
        ([item("A", show_if="B")], "section 1, item A, show if: “B” is not a name"),
        ([item("A"), item("B", show_if="A")], "item B, show if: the rule gives a number"),
        ([item("A", show_if="A > 3")], "shown only if A has a certain answer, but A lies inside"),
        ([group("g", item("A"), show_if="A > 1")], "group g: is shown only if A has a certain"),
        ([group("g", item("A"), show_if="rows(g) > 1", repeats=True)], "shown only if g has"),
        ([item("A", checks=[check("A >")])], "item A, check c1: the rule ends too early"),
        ([item("A", checks=[check("")])], "item A, check c1: the rule ends too early"),
        ([item("A", checks=[check("A > 1")] * 2)], "the code “c1” is used twice"),
        ([item("A", required_if="A")], "item A, required if: the rule gives a number"),
        ([group("g")], "section 1, group g: there is nothing in it"),
        ([group("g", item("A"), rows_most=3)], "does not repeat has no number of rows"),
        ([group("g", item("A"), repeats=True, rows_least=3, rows_most=2)], "no number fits"),
        ([group("g", item("A"), repeats=True), item("B", show_if="A > 1")], "in every row"),
        ([group("g", item("A"), item("B", show_if="A > 1"), repeats=True)], None),
        ([group("g", item("A", checks=[check("sum(g.A) > 9")]), repeats=True)], None),
        ([], "there is nothing in it"),
    ],
)
def test_what_does_not_hold_is_named_with_its_place(
    parts: list[dict[str, Any]], sentence: str | None
) -> None:
    faults = said(form(*parts))
    if sentence is None:
        assert faults == []
    else:
        assert any(sentence in fault for fault in faults), faults


def test_code_lists_and_languages_are_looked_at() -> None:
    labels = {"en": "x"}
    lists = [
        {"code": "a", "choices": [{"code": "1", "label": labels}, {"code": "1", "label": labels}]},
        {"code": "a", "choices": []},
        {"code": "b", "choices": [{"code": " x", "label": {"nl": "x"}}]},
    ]
    faults = said(form(item("A"), code_lists=lists, languages=["en", "en"]))
    assert "code list a: the code “1” is used twice" in faults
    assert "code list a: the code “a” is used twice" in faults
    assert "code list a: the code list has no choices" in faults
    assert any(each.startswith("code list b, choice  x: “ x” is no code") for each in faults)
    assert "the code “en” is used twice" in faults
    assert "no language is named" in said(form(item("A"), languages=[]))


def test_a_reason_for_a_missing_value_is_not_also_a_choice() -> None:
    both = [{"code": "yes", "label": {"en": "yes"}}]
    made = form(
        item("A", "single choice", code_list="yn", missing_codes=["yes"]), missing_codes=both
    )
    assert any("both a choice and a missing-value code" in each for each in said(made))


@pytest.mark.requirement("CD-209")
def test_rings_are_named_each_once() -> None:
    made = form(
        item("A", **computed, rule="B + 1"),
        item("B", **computed, rule="C + 1"),
        item("C", **computed, rule="A + 1"),
        item("D", show_if="E > 1"),
        item("E", show_if="D > 1"),
        item("F", **computed, rule="A + 1"),
        item("G", **computed, rule="G + 1"),
    )
    assert said(made) == [
        "section 1, item A: these depend on each other: A → B → C → A",
        "section 1, item D: these depend on each other: D → E → D",
        "section 1, item G: these depend on each other: G → G",
    ]


def test_a_ring_through_a_sections_rule_is_found() -> None:
    made = form_from_two_sections('yn == "yes"', inside=item("B"), outside_rule="B > 1")
    assert any("yn → B → yn" in each for each in said(made))


def form_from_two_sections(show_if: str, inside: dict[str, Any], outside_rule: str) -> Form:
    choice = item("yn", "single choice", code_list="yn", show_if=outside_rule)
    sections = [
        {"code": "one", "title": {"en": "1"}, "parts": [choice]},
        {"code": "two", "title": {"en": "2"}, "parts": [inside], "show_if": show_if},
    ]
    return form(sections=sections)


def test_names_beyond_the_form_are_read_only_where_they_are_given() -> None:
    made = form(item("A", show_if="precrf.A49"))
    assert any("“precrf.A49” is not a name" in each for each in said(made))
    assert faults_of(made, {"precrf.A49": Term(Type.TRUTH)}) == []


def test_what_cannot_be_published_is_refused_whole() -> None:
    with pytest.raises(Faulty) as caught:
        require_publishable(form(item("A", unit="x", show_if="Z"), item("A", decimals=1)))
    assert len(caught.value.faults) == 3
    require_publishable(form_a())


@pytest.mark.requirement("CD-209")
def test_items_are_worked_out_after_all_that_they_read() -> None:
    made = form_a()
    order = order_of(graph_of(made))
    assert set(order) == set(made.spots)
    for code, before in graph_of(made).items():
        assert all(order.index(each) < order.index(code) for each in before)


def test_what_a_change_touches_is_known_through_every_step() -> None:
    made = form_a()
    assert touched_by(made, "A40") == {"A40", "A41", "A42"}
    assert "age_at_biopsy" in touched_by(made, "A4")
    assert touched_by(made, "A39") == {"A39"}
    assert "A27" in touched_by(made, "A22")
