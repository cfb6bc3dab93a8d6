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

_TESTS = (
    # code, name, unit, value at the first sample, change from one sample to the next
    ("HB", "Haemoglobin", "mmol/L", 5.8, -0.2),
    ("MCV", "MCV", "fL", 98.0, 1.5),
    ("WBC", "Leukocytes", "10⁹/L", 2.9, -0.3),
    ("ANC", "Neutrophils", "10⁹/L", 0.9, -0.1),
    ("PLT", "Thrombocytes", "10⁹/L", 64.0, -9.0),
    ("RET", "Reticulocytes", "‰", 8.0, -1.0),
    ("LDH", "LDH", "U/L", 310.0, 12.0),
)
_TAKEN = ("2026-09-14T08:20:00+02:00", "2026-10-12T08:05:00+02:00", "2026-11-09T09:10:00+01:00")


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
    return {
        row[0]: [
            {
                "taken_at": _TAKEN[sample],
                "code": code,
                "name": name,
                "value": f"{start + sample * change + place / 10:.1f}",
                "unit": unit,
            }
            for sample in reversed(range(len(_TAKEN)))
            for code, name, unit, start, change in _TESTS
        ]
        for place, row in enumerate(_PATIENTS)
    }
