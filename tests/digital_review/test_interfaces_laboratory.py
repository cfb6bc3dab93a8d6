"""A laboratory's answer as results, and as first values of forms."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from digital_review.interfaces.laboratory import (
    Measured,
    StrangeResults,
    first_values,
    read_results,
    same_unit,
)

from portal.connectors.stand_ins.example_data import results

ZONE = ZoneInfo("Europe/Copenhagen")
ROW = {
    "taken_at": "2026-11-09T23:30:00+00:00",
    "sample": "blood",
    "code": "hb",
    "name": "Haemoglobin",
    "value": "5.4",
    "unit": "mmol/L",
}


def test_results_come_newest_sample_first_whatever_the_order() -> None:
    older = ROW | {"taken_at": "2026-10-01T08:00:00+02:00", "value": 6.1}
    found = read_results([older, ROW])
    assert [each.value for each in found] == ["5.4", "6.1"]
    assert read_results([]) == []
    assert len(read_results(results()["104217"])) == 42


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ({"rows": []}, "no list"),
        (None, "no list"),
        (["x"], "row 1: it is no object"),
        ([ROW, ROW | {"code": ""}], "row 2: it has no code"),
        ([ROW | {"taken_at": "yesterday"}], "row 1: taken_at"),
        ([ROW | {"value": ["secret"]}], "row 1: value is no text"),
        ([ROW | {"unit": True}], "row 1: unit is no text"),
    ],
)
def test_what_is_no_such_answer_is_said_where_without_its_values(answer: Any, what: str) -> None:
    with pytest.raises(StrangeResults) as error:
        read_results(answer)
    assert what in str(error.value)
    assert "secret" not in str(error.value)


def test_a_time_without_zone_is_utc_and_a_missing_name_is_the_code() -> None:
    (found,) = read_results([ROW | {"taken_at": "2026-11-09T10:00:00", "name": None}])
    assert found.taken_at.isoformat() == "2026-11-09T10:00:00+00:00"
    assert found.name == "hb"


def test_first_values_are_the_newest_of_each_code_with_unit_and_the_days_of_samples() -> None:
    rows = [
        ROW | {"value": ""},
        ROW | {"taken_at": "2026-11-01T08:00:00+01:00", "value": "5.6"},
        ROW | {"taken_at": "2026-10-01T08:00:00+02:00", "value": "6.1"},
        ROW | {"sample": "marrow", "code": "karyotype", "value": "46,XX", "unit": ""},
    ]
    found = first_values(read_results(rows), ZONE)
    assert found["hb"] == Measured("5.6", "mmol/L"), "an empty one is none"
    assert found["karyotype"] == Measured("46,XX", "")
    day = date(2026, 11, 10)  # after midnight where the patient is
    assert found["count_taken"] == found["blood_taken"] == day
    assert found["marrow_taken"] == found["marrow_counted"] == day
    assert "biopsy_taken" not in found


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10⁹/L", "x10^9/L", True),
        ("mmol/L", "mmol/l", True),
        ("×10^9 / L", "10⁹/l", True),
        ("g/L", "g/dL", False),
        ("%", "‰", False),
        ("U/L", "", False),
        ("", "", True),
    ],
)
def test_units_are_the_same_however_they_are_written(one: str, other: str, same: bool) -> None:
    assert same_unit(one, other) is same
