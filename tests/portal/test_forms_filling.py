"""A form with answers: what is shown, computed, missing and wrong, always the same."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.forms.rules.answers import (
    Answers,
    At,
    answers_from_json,
    answers_to_json,
    first_answers,
)
from portal.forms.rules.faults import Faulty
from portal.forms.rules.filling import Filled, UsableForm, effect_of, fill
from portal.forms.rules.terms import Term, Type
from portal.forms.rules.values import Missing, Value
from tests.support.definitions import check, form, form_a, group, item

TODAY = date(2026, 11, 22)
PRE_CRF = UsableForm(form_a())


def filled(*parts: dict[str, Any], rows: dict[str, Any] | None = None, **values: Any) -> Filled:
    usable = UsableForm(form(*parts))
    return fill(usable, Answers(values, rows or {}), TODAY)


def pre_crf(**values: Value) -> Filled:
    return fill(PRE_CRF, Answers(values), TODAY)


computed = {"kind": "computed", "result": "decimal"}


@pytest.mark.requirement("CD-207", "DR-090")
def test_a_follow_up_question_is_asked_only_once_its_condition_is_true() -> None:
    assert At("A50") not in pre_crf().shown
    assert At("A50") not in pre_crf(A49=True).shown
    assert At("A50") in pre_crf(A49=False).shown
    assert At("A50") in pre_crf(A49=False).missing


@pytest.mark.requirement("CD-207")
def test_the_answer_of_a_hidden_item_is_kept_but_does_not_count() -> None:
    answers = {"A40": True, "A41": True, "A42": "del(7)"}
    before = pre_crf(**answers)
    after = pre_crf(**answers | {"A40": False})
    assert At("A42") in before.values
    # A41 is hidden by A40, and therefore A42 by A41, although A41 still holds "yes"
    assert after.kept == (At("A41"), At("A42"))
    assert At("A42") not in after.values
    effect = effect_of(before, after)
    assert effect.hidden == (At("A41"), At("A42"))
    assert effect.changed == (At("A40"),)
    assert pre_crf(**answers).values == before.values


@pytest.mark.requirement("CD-209")
def test_computed_items_follow_in_order_from_any_change() -> None:
    parts = [
        item("total", **computed, rule="twice + 1", decimals=1),
        item("twice", **computed, rule="a * 2"),
        item("a", "decimal"),
    ]
    assert filled(*parts, a=Decimal("1.25")).values[At("total")] == Decimal("3.5")
    assert At("total") not in filled(*parts).values
    assert filled(*parts, a=Decimal("1.26")).values[At("total")] == Decimal("3.5")
    assert pre_crf(A4=date(2020, 2, 29), A5=date(2026, 2, 28)).values[At("age_at_biopsy")] == 5


@pytest.mark.requirement("CD-208", "DR-090")
def test_the_differential_is_questioned_only_when_it_is_whole() -> None:
    five = {f"A{n}": Decimal(20) for n in range(22, 27)}
    assert pre_crf(**five).findings == ()
    (finding,) = pre_crf(**five, A27=Decimal(5)).findings
    assert (finding.at, finding.facts, finding.severity) == (At("A27"), {"check": "sum"}, "soft")
    assert "100 %" in finding.message.text("nl")
    assert pre_crf(**five, A27=Decimal(0)).findings == ()
    assert pre_crf(**five, A27=Missing("not_done")).findings == ()


@pytest.mark.requirement("CD-208")
def test_hard_and_soft_findings_are_told_apart() -> None:
    found = pre_crf(A4=date(2020, 1, 1), A5=date(2019, 1, 1), A18=Decimal(15), A19=Decimal(-1))
    assert [(each.at.item, each.code) for each in found.hard] == [
        ("A5", "check"),
        ("A19", "too_low"),
    ]
    # the computed age is questioned as well
    assert [each.at.item for each in found.soft] == ["age_at_biopsy", "A18", "A19"]


def test_zero_and_no_are_answers() -> None:
    parts = [item("a", required=True, limits={"least": "1"}), item("b", "boolean", required=True)]
    found = filled(*parts, a=Decimal(0), b=False)
    assert found.missing == ()
    assert [each.code for each in found.findings] == ["too_low"]


@pytest.mark.requirement("DR-031", "DR-095")
def test_completeness_counts_the_required_items_that_are_shown() -> None:
    assert pre_crf().completeness == (0, 14)
    assert pre_crf(A49=False, A40=True).completeness == (1, 16)
    found = pre_crf(A18=Missing("not_done"))
    assert found.completeness == (1, 14)
    assert At("A54") in found.missing
    assert At("A54") not in found.missing_before_signing(PRE_CRF.form)


@pytest.mark.requirement("CD-210")
def test_a_missing_value_code_answers_the_question_but_is_no_value() -> None:
    parts = [
        item("a", missing_codes=["nd"], required=True, checks=[check("a < 9")]),
        item("b", show_if="a > 1"),
        item("c", "text", show_if='marked(a, "nd")', required_if='marked(a, "nd")'),
    ]
    found = filled(*parts, a=Missing("nd"))
    assert found.findings == ()
    assert found.shown == (At("a"), At("c"))
    assert found.missing == (At("c"),)
    assert [each.code for each in filled(*parts, a=Missing("unk")).hard] == ["not_in_list"]


DOSES = [
    item("given", "boolean"),
    group(
        "doses",
        item("dose", "decimal", required=True, checks=[check("dose > 9")]),
        item("why", "text", show_if="dose > 5"),
        item("share", **computed, rule="dose / sum(doses.dose)", decimals=2),
        repeats=True,
        rows_most=3,
        show_if="given",
    ),
    item("total", **computed, rule="sum(dose)"),
    item("often", **computed, rule="rows(doses)"),
]


@pytest.mark.requirement("CD-206")
def test_a_repeating_group_is_worked_out_row_by_row_and_as_a_whole() -> None:
    rows = ({"dose": Decimal(6)}, {"dose": Decimal(2)})
    found = filled(*DOSES, given=True, rows={"doses": rows})
    assert found.values[At("total")] == 8
    assert found.values[At("often")] == 2
    assert At("why", 0) in found.shown
    assert At("why", 1) not in found.shown
    assert found.values[At("share", 0)] == Decimal("0.75")
    many = ({"dose": Decimal(10)}, {}, {}, {})
    found = filled(*DOSES, given=True, rows={"doses": many})
    assert [(each.at, each.code) for each in found.findings] == [
        (At("doses"), "too_many_rows"),
        (At("dose", 0), "check"),
    ]
    assert found.missing == (At("dose", 1), At("dose", 2), At("dose", 3))
    assert At("total") not in found.values


@pytest.mark.requirement("CD-206", "CD-207")
def test_a_hidden_group_has_no_rows_and_an_unknown_one_has_no_sum() -> None:
    rows = {"doses": ({"dose": Decimal(6)},)}
    hidden = filled(*DOSES, given=False, rows=rows)
    assert (hidden.values[At("total")], hidden.values[At("often")]) == (0, 0)
    assert hidden.kept == (At("dose", 0),)
    unknown = filled(*DOSES, rows=rows)
    assert At("total") not in unknown.values
    assert At("often") not in unknown.values


@pytest.mark.requirement("CD-206")
def test_rows_that_must_be_there_are_asked_for_before_they_exist() -> None:
    least = group("g", item("a", required=True, default="7"), repeats=True, rows_least=2)
    assert filled(least).missing == (At("a", 0), At("a", 1))
    assert first_answers(form(least)).rows == {"g": ({"a": 7}, {"a": 7})}


def test_a_computed_choice_outside_its_list_is_none() -> None:
    part = item("x", "computed", result="single choice", code_list="yn", rule='a > 1 ? "yes" : "?"')
    assert filled(item("a"), part, a=Decimal(2)).values[At("x")] == "yes"
    assert At("x") not in filled(item("a"), part, a=Decimal(0)).values


def test_rules_read_other_forms_where_these_are_given() -> None:
    outside = {"precrf.A49": Term(Type.TRUTH)}
    usable = UsableForm(form(item("A", required_if="precrf.A49")), outside)
    assert fill(usable, Answers(), TODAY).missing == ()
    assert fill(usable, Answers(), TODAY, {"precrf.A49": True}).missing == (At("A"),)


def test_a_form_with_faults_is_not_filled_in() -> None:
    with pytest.raises(Faulty):
        UsableForm(form(item("A", show_if="B")))


def test_answers_change_one_at_a_time_and_the_old_ones_stay() -> None:
    made = form(item("a"), group("g", item("b"), repeats=True))
    one = Answers().given(made, At("a"), Decimal(1)).given(made, At("b", 1), Decimal(2))
    assert one.rows == {"g": ({}, {"b": 2})}
    assert one.get(made, At("b", 1)) == 2
    assert one.get(made, At("b", 5)) is None
    assert one.given(made, At("a"), None).values == {}
    assert one.without_row("g", 0).rows == {"g": ({"b": 2},)}
    assert one.values == {"a": 1}
    with pytest.raises(IndexError):
        one.given(made, At("b", -1), Decimal(1))


def test_answers_are_written_and_read_and_what_does_not_fit_is_named() -> None:
    made = form(item("a", missing_codes=["nd"]), group("g", item("b", "text"), repeats=True))
    answers = Answers({"a": Missing("nd")}, {"g": ({"b": "x"}, {})})
    assert answers_from_json(made, json.loads(json.dumps(answers_to_json(answers)))) == answers
    wrong = {"values": {"a": "x", "b": "y"}, "rows": {"g": [{"b": 3}, 7], "h": []}, "more": 1}
    with pytest.raises(Faulty) as caught:
        answers_from_json(made, wrong)
    assert [str(fault) for fault in caught.value.faults] == [
        "“more” is not known here",
        "item a: “a” is “x”, which cannot stand here",
        "item b: “b” is not known here",
        "group g, row 1, item b: “b” is “3”, which cannot stand here",
        "group g, row 2: “values” must be an object, not something",
        "group h: “h” is not known here",
    ]


@given(st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(["values", "rows", "a", "g", "b"]), inner, max_size=3),
    max_leaves=6,
))  # fmt: skip
@settings(deadline=None)
def test_answers_that_are_none_raise_faulty_and_nothing_else(data: Any) -> None:
    made = form(item("a"), group("g", item("b", "text"), repeats=True))
    try:
        answers_from_json(made, data)
    except Faulty as error:
        assert error.faults  # noqa: PT017


truth = st.none() | st.booleans()
some = st.none() | st.decimals(0, 200, places=1)
answered = st.fixed_dictionaries(
    {f"A{n}": truth for n in (11, 12, 38, 40, 41, 43, 44, 46, 47, 49)}
    | {f"A{n}": some for n in range(18, 30)}
    | {f"A{n}": st.none() | st.dates(date(2000, 1, 1), date(2030, 1, 1)) for n in (4, 5, 6, 53)}
).map(lambda values: Answers({key: each for key, each in values.items() if each is not None}))


@given(answered)
@settings(max_examples=60, deadline=None)
def test_whatever_the_answers_the_result_hangs_together(answers: Answers) -> None:
    found = fill(PRE_CRF, answers, TODAY)
    again = fill(PRE_CRF, Answers(dict(reversed(answers.values.items()))), TODAY)
    assert found == again
    shown = set(found.shown)
    assert set(found.required) <= shown
    assert set(found.values) <= shown
    assert set(found.missing) == set(found.required) - set(found.values)
    assert not shown & set(found.kept)
    assert {each.at for each in found.findings} <= shown
    # what is hidden cannot matter: taken away, nothing else changes
    without = Answers({k: v for k, v in answers.values.items() if At(k) not in found.kept})
    less = fill(PRE_CRF, without, TODAY)
    assert (less.shown, less.values, less.findings) == (found.shown, found.values, found.findings)


@given(answered, st.sampled_from(["A4", "A18", "A22", "A40", "A49"]))
@settings(max_examples=60, deadline=None)
def test_a_change_has_no_effect_outside_what_it_touches(answers: Answers, code: str) -> None:
    from portal.forms.rules.dependencies import touched_by

    before = fill(PRE_CRF, answers, TODAY)
    after = fill(PRE_CRF, answers.given(PRE_CRF.form, At(code), None), TODAY)
    effect = effect_of(before, after)
    places = {at.item for at in (*effect.shown, *effect.hidden, *effect.changed)}
    places |= {each.at.item for each in (*effect.found, *effect.gone)}
    assert places <= touched_by(PRE_CRF.form, code)
