"""Every code has a sentence; every value is written as its reader writes."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

import portal.forms.rules
from portal.forms.fault_words import PLACES, TYPES, sentence_of
from portal.forms.rules.answers import At
from portal.forms.rules.dates import PartialDate
from portal.forms.rules.definition import Severity
from portal.forms.rules.faults import SENTENCES, Fault
from portal.forms.rules.filling import Finding
from portal.forms.rules.terms import Type
from portal.forms.rules.values import BadValue, Missing, Reference
from portal.forms.words import (
    BAD_VALUES,
    FINDINGS,
    bad_value_in_words,
    finding_in_words,
    in_words,
)
from portal.records.personal import HIDDEN, Masked
from tests.support.sheets import blood

pytestmark = pytest.mark.requirement("DR-090", "PT-046")

FORM = blood()
RULES = [
    path.read_text(encoding="utf-8")
    for folder in (
        Path(portal.forms.rules.__file__).parent,
        Path(portal.forms.rules.__file__).parents[2],
    )
    for path in folder.glob("*.py")
]


def codes(name: str) -> set[str]:
    """Every code that the rules raise as ``name("code"``."""
    return {code for text in RULES for code in re.findall(rf'\b{name}\(\s*"(\w+)"', text)}


def test_every_value_that_cannot_be_read_has_a_sentence() -> None:
    raised = codes("BadValue")
    assert len(raised) >= 7
    assert raised == set(BAD_VALUES)


def test_every_finding_has_a_sentence() -> None:
    raised = codes("Misfit") | {"too_many_rows", "too_low", "too_high"}
    assert len(raised) >= 8
    assert raised == set(FINDINGS)


def test_every_fault_has_a_sentence_and_every_type_a_name() -> None:
    assert set(TYPES) == set(Type)
    for code in SENTENCES:
        facts = dict.fromkeys(re.findall(r"%\((\w+)\)s", SENTENCES[code]), "x")
        assert "%(" not in sentence_of(Fault((("section", "2"), ("item", "A18")), code, facts))


def test_a_fault_says_where_it_is_in_the_readers_language() -> None:
    fault = Fault((("section", "2"), ("item", "A18")), "wrong_type",
                  {"what": "A18", "wanted": "a number or a date", "found": "a text"})  # fmt: skip
    assert sentence_of(fault) == "section 2, item A18: A18 must be a number or a date, not a text"
    assert set(PLACES) >= {"section", "item", "state", "transition", "timer"}


def test_a_bad_value_is_said_with_what_was_typed() -> None:
    text = bad_value_in_words(BadValue("ambiguous", text="1.200", thousands="1200", decimals="1.2"))
    assert text == "“1.200” can be read in two ways: write 1200 or 1.2."


@pytest.mark.parametrize(
    ("language", "code", "value", "expected"),
    [
        ("en", "hb", Decimal("1234.50"), "1234.50"),
        ("da", "hb", Decimal("1234.50"), "1234,50"),
        ("nl", "taken_on", date(2026, 11, 21), "21-11-2026"),
        ("da", "taken_on", date(2026, 11, 21), "21-11-2026"),
        ("en", "taken_on", date(2026, 11, 21), "21 Nov 2026"),
        ("nl", "since", PartialDate(2026), "2026"),
        ("nl", "since", PartialDate(2026, 3), "03-2026"),
        ("nl", "since", PartialDate(2026, 3, 1), "01-03-2026"),
        ("nl", "clock", time(9, 5), "09:05"),
        ("nl", "seen_at", datetime(2026, 11, 21, 8, 5, tzinfo=UTC), "21-11-2026 09:05"),
        ("en", "biopsy", True, "yes"),
        ("nl", "cells", ("ery", "gra"), "Rood, Wit"),
        ("en", "stage", "ii", "Late"),
        ("en", "stage", "gone", "gone"),
        ("nl", "hb", Missing("nd"), "niet verricht"),
        ("en", "scan", Reference("17", "letter.pdf"), "letter.pdf"),
        ("en", "initials", Masked(HIDDEN), HIDDEN),
        ("en", "hb", None, ""),
    ],
)
def test_a_value_is_written_as_its_reader_writes(
    language: str, code: str, value: Any, expected: str
) -> None:
    with translation.override(language):
        assert in_words(FORM, FORM.spots[code].item, value, language) == expected


def test_a_masked_value_says_nothing_of_itself() -> None:
    item = FORM.spots["initials"].item
    assert in_words(FORM, item, "A.B.", "en", mask=True) == HIDDEN
    assert in_words(FORM, item, None, "en", mask=True) == ""


@pytest.mark.parametrize(
    ("language", "finding", "expected"),
    [
        ("en", Finding(At("hb"), Severity.HARD, "too_high", {"limit": "20", "unit": "mmol/L"}),
         "The highest value allowed is 20 mmol/L."),
        ("en", Finding(At("hb"), Severity.SOFT, "too_low", {"limit": "0.5", "unit": "mmol/L"}),
         "This is lower than expected (0.5 mmol/L). Is it right?"),
        ("en", Finding(At("taken_on"), Severity.HARD, "too_high", {"limit": "today", "unit": ""}),
         "The highest value allowed is today."),
        ("en", Finding(At("taken_on"), Severity.HARD, "too_low", {"limit": "1900-01-01"}),
         "The lowest value allowed is 1 Jan 1900."),
        ("en", Finding(At("rounds"), Severity.HARD, "too_many_rows", {"most": 3, "found": 4}),
         "At most 3 rows; there are 4."),
        ("en", Finding(At("blasts"), Severity.HARD, "not_whole", {}),
         "Only a whole number can stand here."),
        ("nl", Finding(At("blasts"), Severity.HARD, "check", {"check": "sum"},
                       FORM.spots["blasts"].item.checks[0].message), "Meer dan alle"),
        ("en", Finding(At("initials"), Severity.HARD, "too_long", {}),
         "There is something wrong with this answer, which you may not see."),
    ],
)  # fmt: skip
def test_a_finding_is_said_in_words(language: str, finding: Finding, expected: str) -> None:
    with translation.override(language):
        assert finding_in_words(FORM, finding, language) == expected
