"""A form as a plain structure: one for screen, print, workbook and paper."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation

from portal.forms.fields import take_in
from portal.forms.models import Sheet
from portal.forms.presentation import Field, Page, blank, changes, plain, present
from portal.forms.rules.answers import Answers
from portal.forms.rules.dates import PartialDate
from portal.forms.rules.filling import UsableForm, fill
from portal.forms.rules.values import Habits, Missing, Reference
from portal.forms.selectors import ReadSheet
from portal.forms.services.sheets import habits
from portal.forms.words import as_typed
from tests.support.sheets import blood

pytestmark = pytest.mark.requirement("DR-090", "DR-091")

FORM = blood()
USABLE = UsableForm(FORM)
TODAY = date(2026, 11, 22)


def page(language: str = "en", *, masked: bool = False, **typed: str) -> Page:
    """The page of a sheet into which this was typed; of names with dots: ``rounds__0__drug``."""
    names = {name.replace("__", "."): text for name, text in typed.items()}
    answers, faults = take_in(FORM, Answers(), names, habits())
    read = ReadSheet(Sheet.__new__(Sheet), FORM, answers, fill(USABLE, answers, TODAY), masked)
    with translation.override(language):
        return present(read, language, names, faults)


def field(shown: Page, name: str) -> Field:
    found = shown.field(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("language", "label", "title"),
    [("nl", "Hemoglobine", "Bloed en beenmerg"), ("en", "Haemoglobin", "Blood and marrow"),
     ("da", "Hemoglobine", "Bloed en beenmerg"), ("en-gb", "Haemoglobin", "Blood and marrow")],
)  # fmt: skip
def test_labels_are_in_the_readers_language_or_the_forms_first(
    language: str, label: str, title: str
) -> None:
    shown = page(language)
    assert field(shown, "hb").label == label
    assert shown.title == title


@pytest.mark.requirement("DR-096")
def test_few_choices_are_buttons_many_a_list() -> None:
    shown = page()
    widgets = {each.name: each.widget for each in shown.fields()}
    assert widgets["biopsy"] == widgets["stage"] == "buttons"
    assert widgets["hospital"] == "list"
    assert widgets["liver"] == "tick"
    assert widgets["cells"] == "ticks"


def test_a_section_counts_what_is_required_of_it_and_what_is_wrong() -> None:
    shown = page(hb="7,2", biopsy="true", blasts="120")
    blood_section, marrow = shown.sections[1:]
    assert (blood_section.answered, blood_section.required, blood_section.wrong) == (1, 1, 1)
    assert (marrow.answered, marrow.required) == (1, 2)
    assert not blood_section.complete
    assert (shown.answered, shown.required) == (2, 3)


def test_a_hidden_question_is_hidden_and_comes_with_its_condition() -> None:
    assert not field(page(biopsy="false"), "biopsy_on").shown
    assert field(page(biopsy="true"), "biopsy_on").shown


def test_what_was_typed_stands_in_the_field_also_when_it_is_no_value() -> None:
    shown = page(hb="seven", taken_on="31-02-2026")
    hb, day = field(shown, "hb"), field(shown, "taken_on")
    assert (hb.typed, hb.unsaved, hb.hard) == ("seven", True, True)
    assert "not a number" in hb.said[0].text
    # the browser's own picker would show nothing of it
    assert (day.widget, day.typed) == ("moment", "31-02-2026")


def test_a_day_stands_in_the_picker_as_that_takes_it() -> None:
    day = field(page(taken_on="31-01-2026"), "taken_on")
    assert (day.widget, day.typed) == ("date", "2026-01-31")


def test_a_computed_answer_is_shown_and_not_open() -> None:
    with translation.override("nl"):
        double = field(page("nl", hb="7,2"), "hb_double")
    assert (double.worded, double.open) == ("14,4", False)


def test_a_soft_finding_can_be_confirmed_and_a_hard_one_not() -> None:
    (low,) = field(page(hb="2"), "hb").said
    assert (low.hard, low.key) == (False, "hb:too_low")
    (high,) = field(page(hb="30"), "hb").said
    assert (high.hard, high.key) == (True, "")


def test_a_reason_stands_instead_of_an_answer() -> None:
    hb = field(page(**{"hb!": "nd"}), "hb")
    assert (hb.reason, hb.worded, hb.missing) == ("nd", "not done", False)
    assert [option.chosen for option in hb.reasons] == [True]


def test_personal_answers_are_masks_and_not_open() -> None:
    initials = field(page(masked=True, initials="A.B."), "initials")
    assert initials.worded == "•••"
    assert not initials.open


def test_rows_that_stay_keep_their_numbers_when_others_are_taken_away() -> None:
    shown = page(
        rounds__0__drug="one", rounds__1__drug="two", rounds__2__drug="three", **{"rounds-": "1"}
    )
    (part,) = [part for part in shown.parts() if part.repeats]
    assert [(row.number, row.place) for row in part.rows] == [(0, 1), (2, 2)]
    assert [row.fields[0].worded for row in part.rows] == ["one", "three"]
    assert (part.next, part.gone, part.more) == ("rounds.3.drug", "1", True)


def test_a_further_row_is_offered_until_there_are_enough() -> None:
    (part,) = [part for part in page().parts() if part.repeats]
    assert (part.rows, part.next, part.fewer) == ((), "rounds.0.drug", False)
    three = {f"rounds__{row}__drug": "x" for row in range(3)}
    (part,) = [part for part in page(**three).parts() if part.repeats]
    assert (len(part.rows), part.more) == (3, False)


# --- what changes ---------------------------------------------------------------------------------


def test_after_an_answer_only_what_it_changes_is_shown_anew() -> None:
    found = changes(page(hb="7"), page(hb="2"))
    assert {(each.field.name, each.whole) for each in found.fields} == {
        ("hb", False),
        ("hb_double", False),
    }
    assert found.sections == ()
    assert found.news == (("Haemoglobin", "This is lower than expected (3 mmol/L). Is it right?"),)


def test_a_question_that_appears_is_shown_as_a_whole_with_the_counts_of_its_section() -> None:
    found = changes(page(), page(biopsy="true"))
    assert {(each.field.name, each.whole) for each in found.fields} == {
        ("biopsy", False),  # no longer missing
        ("biopsy_on", True),
    }
    assert [section.code for section in found.sections] == ["marrow"]


def test_another_row_shows_its_group_anew_and_none_of_its_fields_beside() -> None:
    found = changes(page(), page(rounds__0__drug="x"))
    assert [part.code for part in found.parts] == ["rounds"]
    assert found.fields == ()


def test_of_an_unknown_page_everything_is_shown_anew() -> None:
    shown = page()
    found = changes(None, shown)
    assert len(found.fields) == len([*shown.fields()])
    assert all(each.whole for each in found.fields)


# --- paper ----------------------------------------------------------------------------------------


@pytest.mark.requirement("DR-094")
def test_on_empty_paper_every_question_stands_whatever_shows_it() -> None:
    shown = blank(FORM, "nl")
    assert all(
        each.shown and not each.worded and not each.said
        for each in shown.fields()
        if not each.options
    )
    (rounds,) = [part for part in shown.parts() if part.repeats]
    assert len(rounds.rows) == 3  # as many as there may be


@pytest.mark.requirement("DR-094")
def test_the_plain_structure_is_json_and_has_only_what_is_shown() -> None:
    data: Any = json.loads(json.dumps(plain(page(hb="7,2", biopsy="false"))))
    fields = [
        each
        for section in data["sections"]
        for part in section["parts"]
        for row in part["rows"]
        for each in row["fields"]
        if each["shown"]
    ]
    assert "biopsy_on" not in {each["name"] for each in fields}
    assert {each["worded"] for each in fields if each["name"] == "hb"} == {"7.2"}


# --- values as they are typed ---------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "da"])
@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("hb", Decimal("7.2")),
        ("hb", Decimal("1.200")),
        ("hb", Decimal("-0.125")),
        ("hb", Decimal("12345.678")),
        ("blasts", Decimal(12)),
        ("taken_on", date(2026, 1, 31)),
        ("since", PartialDate(2026)),
        ("since", PartialDate(2026, 3)),
        ("since", PartialDate(2026, 3, 31)),
        ("clock", time(9, 5)),
        ("seen_at", datetime(2026, 1, 31, 9, 5, tzinfo=UTC)),
        ("biopsy", True),
        ("biopsy", False),
        ("cells", ("ery", "gra")),
        ("stage", "ii"),
        ("history", "two\nlines"),
        ("scan", Reference("17", "letter of today.pdf")),
    ],
)
def test_a_value_stands_in_its_field_so_that_it_is_read_as_the_same(
    language: str, code: str, value: Any
) -> None:
    with translation.override(language):
        answers, faults = take_in(FORM, Answers(), {code: as_typed(value)}, habits())
    assert not faults
    assert answers.values[code] == value


def test_what_is_no_value_stands_in_no_field() -> None:
    assert as_typed(None) == as_typed(Missing("nd")) == ""


def test_habits_follow_the_language() -> None:
    assert habits() == Habits(day_first=True, zone=habits().zone)
