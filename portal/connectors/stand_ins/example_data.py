"""Invented patients: numbers, initials, birth dates, hospitals, and results of their blood.

None of them exists. Two have the same initials and birth date: a number alone says who is who.
Hospitals are codes of units.
"""

from __future__ import annotations

from typing import Any

HOSPITALS = ("hosp-north", "hosp-south")

_PATIENTS = (
    # number, initials, born, sex, hospital
    ("104217", "A.B.", "2015-03-02", "f", 0),
    ("104218", "J.V.", "2012-11-19", "m", 1),
    ("104219", "J.V.", "2012-11-19", "m", 0),  # not the one before: DR-144
    ("104220", "M.K.", "2019-07-30", "f", 0),
    ("104221", "S.D.", "2009-01-05", "m", 1),
    ("104222", "L.H.", "2021-05-14", "f", 1),
    ("104223", "T.N.", "2011-09-23", "m", 0),
    ("104224", "E.R.", "2017-12-08", "f", 0),
    ("104225", "O.P.", "2014-04-27", "m", 1),
    ("104226", "F.S.", "2020-02-29", "f", 0),
    ("104227", "N.J.", "2008-08-16", "m", 1),
    ("104228", "C.W.", "2016-06-01", "f", 0),
)

_BLOOD = (
    # code, name, unit, value at the first sample, change from one sample to the next
    ("hb", "Haemoglobin", "mmol/L", 5.8, -0.2),
    ("leucocytes", "Leucocytes", "x10^9/L", 2.9, -0.3),
    ("thrombocytes", "Thrombocytes", "x10^9/L", 64.0, -9.0),
    ("reticulocytes", "Reticulocytes", "‰", 8.0, -1.0),
    ("blasts", "Blasts", "%", 1.0, 0.0),
    ("neutrophils", "Neutrophils", "%", 31.0, -2.0),
    ("lymphocytes", "Lymphocytes", "%", 58.0, 2.0),
    ("eosinophils", "Eosinophils", "%", 2.0, 0.0),
    ("monocytes", "Monocytes", "%", 7.0, 0.0),
    ("basophils", "Basophils", "%", 1.0, 0.0),
    ("haptoglobin", "Haptoglobin", "g/L", 1.1, 0.0),
    ("ldh", "LDH", "U/L", 310.0, 12.0),
)
_TAKEN = ("2026-09-14T08:20:00+02:00", "2026-10-12T08:05:00+02:00", "2026-11-09T09:10:00+01:00")
_ONCE = (
    # sample, taken, code, name, value
    ("blood", _TAKEN[-1], "cmv_igg", "CMV IgG", "pos"),
    ("blood", _TAKEN[-1], "cmv_igm", "CMV IgM", "neg"),
    ("blood", _TAKEN[-1], "parvo_b19_igg", "Parvovirus B19 IgG", "neg"),
    ("blood", _TAKEN[-1], "parvo_b19_igm", "Parvovirus B19 IgM", "neg"),
    ("marrow", "2026-11-10T11:00:00+01:00", "karyotype", "Karyotype", "46,XX/XY"),
    ("biopsy", "2026-11-10T11:20:00+01:00", "biopsy", "Trephine biopsy", "taken"),
)


def patients() -> dict[str, dict[str, Any]]:
    """Every patient of the registry, by number."""
    return {
        number: {
            "number": number,
            "initials": initials,
            "born_on": born_on,
            "sex": sex,
            "hospital": HOSPITALS[hospital],
        }
        for number, initials, born_on, sex, hospital in _PATIENTS
    }


def results() -> dict[str, list[dict[str, str]]]:
    """Results of the laboratory by patient number, newest sample first."""
    return {row[0]: _results_of(place) for place, row in enumerate(_PATIENTS)}


def _results_of(place: int) -> list[dict[str, str]]:
    rows = [
        _row("blood", taken, code, name, f"{start + number * change + place / 10:.1f}", unit)
        for number, taken in enumerate(_TAKEN)
        for code, name, unit, start, change in _BLOOD
    ]
    rows += [_row(*each, "") for each in _ONCE]
    return sorted(rows, key=lambda row: row["taken_at"], reverse=True)


def _row(sample: str, taken: str, code: str, name: str, value: str, unit: str) -> dict[str, str]:
    return {
        "taken_at": taken,
        "sample": sample,
        "code": code,
        "name": name,
        "value": value,
        "unit": unit,
    }
