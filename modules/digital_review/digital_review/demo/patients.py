"""The demo's patients, all invented: how far each has come, and what is written of them.

The first numbers are those of the demo's registry and laboratory, so that what these say can be
seen beside the forms; two of them have the same initials and the same birth date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum

from digital_review.demo.staff import NORTH, WEST

NORDHAVN, KOEGE = "hosp-north", "hosp-south"


class Stage(IntEnum):
    """How far a patient has come; each includes those before it, but for the forced one."""

    STARTED = 1
    DRAFT = 2
    COMPLETE = 3
    SIGNED = 4
    SENT = 5
    SLIDES = 6
    PATHOLOGY = 7
    READY = 8


@dataclass(frozen=True)
class DemoPatient:
    number: str
    initials: str
    born_on: date
    hospital: str
    stage: Stage
    days_ago: int
    """When they were registered."""
    working: str = ""
    forced: str = ""
    """Why the review was forced."""
    outcome: str = ""
    """What the past meeting found."""
    anamnesis: str = ""


COMING = (
    DemoPatient("104226", "F.S.", date(2020, 2, 29), NORDHAVN, Stage.STARTED, 3),
    DemoPatient("104301", "K.T.", date(2018, 6, 11), WEST, Stage.STARTED, 44),
    DemoPatient("104302", "B.N.", date(2022, 1, 20), NORTH, Stage.STARTED, 12),
    DemoPatient("104311", "N.R.", date(2017, 4, 1), NORTH, Stage.STARTED, 6),
    DemoPatient("104312", "V.A.", date(2016, 7, 17), WEST, Stage.DRAFT, 9),
    DemoPatient("104222", "L.H.", date(2021, 5, 14), KOEGE, Stage.DRAFT, 20),
    DemoPatient("104303", "A.M.", date(2013, 10, 2), WEST, Stage.DRAFT, 16),
    DemoPatient("104304", "R.L.", date(2019, 12, 24), NORTH, Stage.COMPLETE, 25, "RC"),
    DemoPatient("104224", "E.R.", date(2017, 12, 8), NORDHAVN, Stage.SIGNED, 28, "SAA"),
    DemoPatient("104305", "P.D.", date(2010, 3, 15), WEST, Stage.SIGNED, 30, "MDS, RAEB"),
    DemoPatient("104306", "I.V.", date(2016, 8, 30), NORTH, Stage.SENT, 33, "Fanconi anaemia"),
    DemoPatient("104225", "O.P.", date(2014, 4, 27), KOEGE, Stage.SENT, 35, "Cytopenia"),
    DemoPatient("104307", "S.E.", date(2011, 11, 7), WEST, Stage.SLIDES, 38, "SAA"),
    DemoPatient("104308", "H.B.", date(2015, 5, 5), NORTH, Stage.PATHOLOGY, 41, "RC"),
    DemoPatient("104223", "T.N.", date(2011, 9, 23), NORDHAVN, Stage.PATHOLOGY, 43, "SAA"),
    DemoPatient("104217", "A.B.", date(2015, 3, 2), NORDHAVN, Stage.READY, 50, "MDS, RC"),
    DemoPatient("104218", "J.V.", date(2012, 11, 19), KOEGE, Stage.READY, 52, "SAA",
                anamnesis="An uncle died of marrow failure; the family saw a geneticist in May."),
    DemoPatient("104219", "J.V.", date(2012, 11, 19), NORDHAVN, Stage.READY, 55, "JMML"),
    DemoPatient("104309", "M.O.", date(2023, 2, 3), WEST, Stage.SENT, 30, "JMML",
                forced="Transplantation is planned in four weeks; the board decides before."),
)  # fmt: skip
"""On their way, or on the list of the coming meeting."""
TODAY = (
    DemoPatient("104220", "M.K.", date(2019, 7, 30), NORDHAVN, Stage.READY, 60, "RC",
                anamnesis="Recurrent otitis; two transfusions since the last visit."),
    DemoPatient("104310", "C.J.", date(2014, 9, 9), WEST, Stage.READY, 62, "SAA"),
)  # fmt: skip
"""Discussed at the meeting that is running."""
PAST = (
    DemoPatient("104221", "S.D.", date(2009, 1, 5), KOEGE, Stage.READY, 140, "MDS",
                outcome="ewog_mds"),
    DemoPatient("104313", "G.H.", date(2012, 2, 28), NORTH, Stage.READY, 145, "Fanconi anaemia",
                outcome="fanconi"),
    DemoPatient("104314", "D.F.", date(2018, 10, 21), WEST, Stage.READY, 148, "Unclear",
                outcome="none"),
    DemoPatient("104315", "U.K.", date(2020, 12, 12), NORTH, Stage.READY, 150, "Unclear",
                outcome="none"),
)  # fmt: skip
"""Discussed at the meeting of some weeks ago."""
UNSIGNED, FOLLOW_UP_ASKED = "104313", "104315"
"""Of the past meeting: a finding that waits for its signature; a follow-up that was begun."""


def _blood(letter: str, hb: int, differential: int) -> dict[str, str]:
    counts = zip(range(hb, hb + 4), ("4.8", "2.3", "22", "7"), strict=True)
    percents = ("0", "24", "68", "2", "6", "0")
    shares = zip(range(differential, differential + 6), percents, strict=True)
    return {f"{letter}{number}": value for number, value in (*counts, *shares)}


def pre_crf(patient: DemoPatient, today: date, doctor: str) -> Mapping[str, str]:
    """The pre-CRF as typed."""
    taken = today - timedelta(days=patient.days_ago)
    return {
        **_blood("A", 18, 22),
        "A5": f"{taken:%d-%m-%Y}",
        "A6": f"{taken:%d-%m-%Y}",
        "A7": "Healthy until three months ago, then bruises and paleness.",
        "A8": "Tired, nosebleeds.",
        "A9": "None known.",
        "A11": "true",
        "A12": "true",
        "A12_text": "2 cm below the costal margin",
        "A16": f"{taken:%d-%m-%Y}",
        "A17": f"{taken:%d-%m-%Y}",
        "A28": "1.1",
        "A29": "320",
        "A30_G": "neg",
        "A30_M": "neg",
        "A35_G": "pos",
        "A35_M": "neg",
        "A36": "pos",
        "A37": "pos",
        "A39": "46,XX[20]" if patient.born_on.day % 2 else "46,XY[20]",
        "A40": "true",
        "A41": "false",
        "A43": "true",
        "A44": "true" if "Fanconi" in patient.working else "false",
        **({"A45": "increased breakage with MMC"} if "Fanconi" in patient.working else {}),
        "A46": "false",
        "A49": "false",
        "A50": patient.working or "Cytopenia",
        "local_diagnosis": _local(patient),
        "A52": doctor,
        "A53": f"{min(taken + timedelta(days=4), today):%d-%m-%Y}",
    }


def _local(patient: DemoPatient) -> str:
    """What the local pathologist said: mostly, but not always, what the review finds."""
    for word, code in (("SAA", "saa"), ("Fanconi", "fanconi"), ("Cytopenia", "cytopenia")):
        if word in patient.working:
            return code
    return "none" if patient.working == "Unclear" else "ewog_mds"


PARTLY = {"A7": "Paleness since spring.", "A11": "false", "A18": "5.4", "A19": "3.1"}
"""What has been filled in of a draft."""


def pathology(patient: DemoPatient, today: date) -> Mapping[str, str]:
    """The pathologist's form as typed."""
    taken = today - timedelta(days=patient.days_ago)
    failure = {"B34": "ery\ngran"} if "SAA" in patient.working else {"B33": "RC"}
    return {
        "B5_length": "14",
        "B5_width": "2",
        "B6": f"{taken:%d-%m-%Y}",
        "B7": f"T26-{patient.number[-4:]}",
        "B8": "formaldehyde",
        "B10": "edta",
        "B11": "sufficient",
        "B12": "decreased",
        "B13": "decreased",
        "B14": "decreased",
        "B15": "decreased",
        "B16": "true",
        "B17": "true",
        "B18": "false",
        "B19": "normal",
        "B21": "no",
        "B23": "true",
        "B24": "true",
        "B25": "true",
        "B26": "false",
        "B27": "true",
        "B28": "false",
        "B29": "false",
        "B30": "lt5",
        "B31": "focal",
        **failure,
        "B36": "true",
        "B37": "true",
        "B38": "Hypocellular marrow with patchy, left-shifted erythropoiesis.",
    }


CONCLUSION = {
    "ewog_mds": "Refractory cytopenia of childhood.",
    "saa": "Severe aplastic anaemia; no dysplasia in the megakaryocytes.",
    "fanconi": "Fanconi anaemia, breakage test positive; marrow hypocellular.",
    "none": "No diagnosis yet: the biopsy is too small. Repeat it in four to six weeks.",
}


def central_review(patient: DemoPatient, held_on: date, chairman: str) -> Mapping[str, str]:
    """What the secretary typed at the meeting."""
    return {
        "C9": "Hypocellular, few megakaryocytes.",
        "C11": f"{held_on:%d-%m-%Y}",
        "C12": CONCLUSION[patient.outcome],
        "C13": chairman,
        "C15": patient.outcome,
        "C16": "EWOG-MDS 2006" if patient.outcome == "ewog_mds" else "",
    }
