"""The forms and the flow that ship: every field of the source's section 7, in two languages."""

from __future__ import annotations

import csv
import functools
import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from digital_review.services.installing import DEFINITIONS

from portal.flows.rules.definition import Machine, machine_from_json
from portal.flows.rules.running import begin, is_done, take
from portal.forms.rules.answers import Answers, At
from portal.forms.rules.definition import Form, Kind, form_from_json
from portal.forms.rules.filling import Filled, UsableForm, fill
from portal.forms.rules.publishing import faults_of
from portal.forms.rules.values import Missing, Reference, Value

TODAY = date(2026, 11, 22)
FOLDER = DEFINITIONS / "mds_bmf"
FORMS = ("pre_crf", "pathology", "central_review", "follow_up")
# what the requirements list in 7.1 to 7.4, with the number of the last field of each form
LAST_FIELD = {"pre_crf": 54, "pathology": 39, "central_review": 19, "follow_up": 46}
SIGNATURE = {"pre_crf": "A54", "pathology": "B39", "central_review": "C19", "follow_up": "D46"}
BEYOND_THE_SOURCE = {"age_at_biopsy", "local_diagnosis"}


@functools.cache
def form_of(name: str) -> Form:
    return form_from_json((FOLDER / f"{name}.json").read_bytes())


def flow() -> Machine:
    return machine_from_json((FOLDER / "flow.json").read_bytes())


def fields_listed() -> list[dict[str, str]]:
    with Path(__file__).with_name("fields_of_section_7.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.requirement("DR-090", "DR-091", "DR-097")
@pytest.mark.parametrize("field", fields_listed(), ids=lambda field: field["item"])
def test_every_field_of_the_source_is_in_its_form(field: dict[str, str]) -> None:
    form = form_of(field["form"])
    item = form.spots[field["item"]].item
    assert item.kind == field["kind"]
    assert item.unit == field["unit"]
    assert "; ".join(form.codes_of(item)) == field["choices"]
    assert item.label.text("en") == field["english"]
    assert item.label.text("nl") == field["dutch"]


@pytest.mark.requirement("DR-090")
@pytest.mark.parametrize("name", FORMS)
def test_no_field_is_missing_and_none_is_unnamed(name: str) -> None:
    codes = set(form_of(name).spots) - BEYOND_THE_SOURCE
    assert codes == {field["item"] for field in fields_listed() if field["form"] == name}
    numbers = {int("".join(filter(str.isdigit, code.split("_")[0]))) for code in codes}
    assert numbers == set(range(1, LAST_FIELD[name] + 1))


@pytest.mark.requirement("DR-091", "DR-097")
@pytest.mark.parametrize("name", FORMS)
def test_a_shipped_form_can_be_published_in_dutch_and_english_and_asks_to_be_signed(
    name: str,
) -> None:
    form = form_of(name)
    assert faults_of(form) == []
    assert form.languages == ("en", "nl")
    assert form.title
    assert form.description
    assert form.spots[SIGNATURE[name]].item.kind is Kind.SIGNATURE


@pytest.mark.requirement("DR-092")
@pytest.mark.parametrize("name", FORMS)
def test_it_is_said_where_first_values_come_from_and_where_answers_go(name: str) -> None:
    form = form_of(name)
    letter = SIGNATURE[name][0]
    fields = ("number", "hospital", "initials", "born_on")
    for number, field in enumerate(fields, 1):
        item = form.spots[f"{letter}{number}"].item
        assert item.first_value is not None
        assert (item.first_value.connector, item.first_value.field) == ("registry", field)
        assert not item.editable
        assert item.written_to is None  # what was read there is not written back
        assert item.personal == (field in ("initials", "born_on"))
    for spot in form.spots.values():
        asked = spot.item.kind not in (Kind.COMPUTED, Kind.SIGNATURE) and spot.item.editable
        assert (spot.item.written_to is not None) == asked


@pytest.mark.requirement("DR-092")
def test_what_the_laboratory_knows_comes_from_there() -> None:
    pre_crf = form_of("pre_crf")
    for code in ("A5", "A16", *(f"A{n}" for n in range(18, 30)), "A35_M"):
        source = pre_crf.spots[code].item.first_value
        assert source is not None, code
        assert source.connector == "laboratory"
    central = form_of("central_review")
    for code in ("C5", "C6", "C7", "C8"):  # pre-filled from the pre-CRF
        source = central.spots[code].item.first_value
        assert source is not None, code
        assert source.connector == "case"
        slot, _, item = source.field.partition(".")
        assert slot == "precrf"
        assert item in pre_crf.spots


def test_assumptions_are_marked_to_be_confirmed_by_a_haematologist() -> None:
    """Section 13 no. 7: reticulocytes, differential, LDH, fixation, MDR and AML."""
    for name, codes in {
        "pre_crf": ["A21", *(f"A{n}" for n in range(22, 28)), "A29"],
        "pathology": ["B8", "B33"],
        "follow_up": ["D21", *(f"D{n}" for n in range(22, 28))],
    }.items():
        form = form_of(name)
        for code in codes:
            assert "to be confirmed by a haematologist" in form.spots[code].item.note, code


@pytest.mark.requirement("DR-096")
def test_there_are_no_long_rows_of_radio_buttons() -> None:
    for name in FORMS:
        form = form_of(name)
        for spot in form.spots.values():
            if spot.item.kind is Kind.SINGLE_CHOICE and len(form.choices_of(spot.item)) > 4:
                assert spot.item.appearance == "list", spot.item.code


# --- realistic cases, and what is wrong with others -----------------------------------------------

PATIENT: dict[str, Value] = {"1": "SK-0417", "2": "MKZ", "3": "J.d.V.", "4": date(2019, 3, 4)}


def patient(letter: str) -> dict[str, Value]:
    return {f"{letter}{number}": value for number, value in PATIENT.items()}


def blood(letter: str, hb: int, differential: int) -> dict[str, Value]:
    counts = zip(range(hb, hb + 4), ("4.1", "2.10", "14", "6"), strict=True)
    shares = zip(range(differential, differential + 6), (1, 22, 70, 2, 5, 0), strict=True)
    return {f"{letter}{n}": Decimal(str(v)) for n, v in (*counts, *shares)}


CASES: dict[str, dict[str, Value]] = {
    "pre_crf": {
        **patient("A"), **blood("A", 18, 22),
        "A5": date(2026, 10, 12), "A6": date(2026, 10, 12), "A7": "Bruises for two months.",
        "A8": "Tired.", "A9": "None known.", "A11": True, "A12": True,
        "A12_text": "2 cm below the costal margin", "A16": date(2026, 10, 11),
        "A17": date(2026, 10, 13), "A28": Decimal("1.2"), "A29": Decimal(310),
        "A30_G": "neg", "A30_M": "neg", "A35_G": "pos", "A35_M": Missing("not_done"),
        "A36": "pos", "A37": "pos", "A38": False, "A39": "46,XY[20]", "A40": True, "A41": True,
        "A42": "monosomy 7 in 12 % of the nuclei", "A43": False, "A46": Missing("unknown"),
        "A49": False, "A50": "MDS refractory cytopenia", "local_diagnosis": "saa",
        "A52": "Dr. H. Brouwer", "A53": date(2026, 10, 20),
    },
    "pathology": {
        **patient("B"), "B5_length": Decimal("12.5"), "B5_width": Decimal(2),
        "B6": date(2026, 10, 12), "B7": "T26-10432", "B7_number": Decimal(1), "B7_of": Decimal(2),
        "B8": "other", "B9": "B5", "B10": "edta", "B11": "sufficient", "B12": "decreased",
        "B13": "decreased", "B14": "normal", "B15": "absent", "B16": True, "B17": True,
        "B18": False, "B19": "high", "B20": True, "B21": "slight", "B22": True, "B23": True,
        "B24": True, "B25": True, "B26": False, "B27": True, "B28": True,
        "B28_text": "nuclear bridging", "B29": False, "B30": "lt5", "B31": "focal",
        "B32": Missing("not_done"), "B33": ("RC",), "B36": True, "B37": True,
        "B38": "Patchy erythropoiesis with left shift.",
    },
    "central_review": {
        **patient("C"), "C5": "Dr. H. Brouwer", "C6": date(2026, 10, 12), "C7": "MKZ",
        "C8": "Bruises for two months.", "C9": "Hypocellular, micromegakaryocytes.",
        "C10": "RC.", "C11": date(2026, 11, 20), "C12": "Refractory cytopenia of childhood.",
        "C13": "Prof. dr. M. van Es", "C14": "Include.", "C15": "ewog_mds",
        "C16": "EWOG-MDS 2006", "C17": date(2026, 11, 21), "C18": "Dr. P. Wouda",
    },
    "follow_up": {
        **patient("D"), **blood("D", 18, 22), "D5": True, "D6": True, "D7": "Stable.",
        "D8": "Two transfusions.", "D9": "In February and April.", "D10": False,
        "D15": date(2026, 11, 2), "D16": date(2026, 11, 2), "D17": date(2026, 11, 1),
        "D28": "pos", "D29": "pos", "D30": False, "D31": "46,XY[20]", "D32": False, "D35": False,
        "D38": True, "D39": False, "D41": True, "D44": "Dr. H. Brouwer", "D45": date(2026, 11, 9),
    },
}  # fmt: skip


@functools.cache
def usable_form(name: str) -> UsableForm:
    return UsableForm(form_of(name))


def filled(name: str, **changes: Value | None) -> Filled:
    answers = {**CASES[name], **changes}
    given: Mapping[str, Any] = {code: each for code, each in answers.items() if each is not None}
    return fill(usable_form(name), Answers(given), TODAY)


@pytest.mark.requirement("DR-090")
@pytest.mark.parametrize("name", FORMS)
def test_a_realistic_case_fills_the_form_with_nothing_missing_but_the_signature(name: str) -> None:
    found = filled(name)
    assert found.findings == ()
    assert found.missing == (At(SIGNATURE[name]),)
    assert found.kept == ()
    signed = filled(name, **{SIGNATURE[name]: Reference("1", "signed")})
    assert signed.missing == ()


@pytest.mark.requirement("DR-090")
@pytest.mark.parametrize(
    ("name", "changes", "where", "severity"),
    [
        ("pre_crf", {"A5": date(2027, 1, 1)}, "A5", "hard"),  # in the future
        ("pre_crf", {"A5": date(2019, 3, 3)}, "A5", "hard"),  # before birth
        ("pre_crf", {"A6": date(2026, 8, 1)}, "A6", "soft"),
        ("pre_crf", {"A17": date(2026, 10, 1)}, "A17", "soft"),
        ("pre_crf", {"A18": Decimal("2.9")}, "A18", "soft"),
        ("pre_crf", {"A18": Decimal(41)}, "A18", "hard"),  # g/L typed for mmol/L
        ("pre_crf", {"A24": Decimal(50)}, "A27", "soft"),  # the differential's sum
        ("pre_crf", {"A53": date(2026, 10, 1)}, "A53", "soft"),
        ("pathology", {"B7_number": Decimal(3)}, "B7_of", "hard"),
        ("pathology", {"B5_width": Decimal(5), "B5_length": Decimal(4)}, "B5_width", "soft"),
        ("pathology", {"B30": "p20_29"}, "B33", "soft"),  # not RC with so many blasts
        ("pathology", {"B33": ("RAEB",)}, "B33", "soft"),
        ("central_review", {"C17": date(2026, 11, 1)}, "C17", "hard"),  # before the review
        ("central_review", {"C6": date(2026, 11, 21)}, "C11", "soft"),
        ("follow_up", {"D45": date(2026, 10, 1)}, "D45", "soft"),
        ("follow_up", {"D24": Decimal(50)}, "D27", "soft"),
    ],
)
def test_what_cannot_be_or_is_rarely_so_is_found_at_its_field(
    name: str, changes: dict[str, Value], where: str, severity: str
) -> None:
    assert (where, severity) in {
        (each.at.item, str(each.severity)) for each in filled(name, **changes).findings
    }


@pytest.mark.parametrize(
    ("name", "changes", "missing"),
    [
        ("pre_crf", {"A12_text": None}, "A12_text"),
        ("pre_crf", {"A50": None}, "A50"),
        ("pre_crf", {"A41": None}, "A41"),
        ("pathology", {"B9": None}, "B9"),
        ("pathology", {"B28_text": None}, "B28_text"),
        ("pathology", {"B33": None}, "B33"),
        ("pathology", {"B7_of": None}, "B7_of"),
        ("follow_up", {"D6": False, "D7": None}, "D7"),
        ("follow_up", {"D17": None}, "D17"),
    ],
)
def test_what_follows_from_an_answer_is_asked(
    name: str, changes: dict[str, Value | None], missing: str
) -> None:
    assert At(missing) in filled(name, **changes).missing


@pytest.mark.parametrize(
    ("name", "changes", "hidden"),
    [
        ("pre_crf", {"A11": False}, "A12"),
        ("pre_crf", {"A40": False}, "A41"),
        ("pre_crf", {"A49": True}, "A50"),
        ("pathology", {"B8": "formaldehyde"}, "B9"),
        ("pathology", {"B21": "no"}, "B22"),
        ("pathology", {"B14": "absent"}, "B23"),
        ("follow_up", {"D10": True, "D11": None}, "D11_text"),
        ("follow_up", {"D6": False}, "D10"),
    ],
)
def test_what_does_not_apply_is_not_shown(
    name: str, changes: dict[str, Value | None], hidden: str
) -> None:
    assert At(hidden) not in filled(name, **changes).shown


@pytest.mark.requirement("DR-090")
def test_another_diagnosis_may_stand_instead_of_the_mds_group() -> None:
    for changes in ({"B34": ("ery", "gran")}, {"B35": True, "B35_text": "metastasis"}):
        assert At("B33") not in filled("pathology", B33=None, **changes).missing
    unusable = filled("pathology", B11="not_evaluable", B12=None, B30=None, B33=None)
    assert unusable.missing == (At("B39"),)


# --- the flow -------------------------------------------------------------------------------------


def walk(*steps: tuple[str, dict[str, Any], set[str]]) -> tuple[list[str], list[str]]:
    """The states that a case goes through, and what is asked for on the way."""
    from digital_review.rules.conduct import registry

    machine, at = flow(), datetime(2026, 11, 22, 9, tzinfo=ZoneInfo("Europe/Amsterdam"))
    actions = registry({"precrf", "pathology", "crf", "followup"})
    step = begin(machine, at, actions)
    states, done = [step.position.state], [action.name for action in step.actions]
    facts: dict[str, Any] = {}
    for code, new, roles in steps:
        facts |= new
        step = take(
            machine, step.position, code, facts=facts, roles=roles, at=at, registry=actions,
            today=at.date(), reason="why",
        )  # fmt: skip
        states.append(step.position.state)
        done += [action.name for action in step.actions]
    assert is_done(machine, states[-1]) == (states[-1] == "crf_signed")
    return states, done


TO_REVIEW: tuple[tuple[str, dict[str, Any], set[str]], ...] = (
    ("complete_precrf", {"precrf.complete": True}, {"system"}),
    ("send_info", {}, {"trial_bureau"}),
    ("complete_pathology", {"pathology.complete": True, "pathology.signed": True}, {"system"}),
    ("data_complete", {"case.slides_received": True}, {"system"}),
)


@pytest.mark.requirement("DR-100", "DR-103", "DR-070")
def test_a_patient_with_a_diagnosis_goes_from_the_pre_crf_to_the_signed_crf() -> None:
    met = {"crf.complete": True, "outcome.met": True}
    states, done = walk(
        *TO_REVIEW, ("diagnosis", met, {"system"}), ("sign_crf", {"crf.signed": True}, {"system"})
    )
    assert states == [
        "precrf_start", "precrf_complete", "info_to_pathologist", "info_complete", "review_ready",
        "crf_complete", "crf_signed",
    ]  # fmt: skip
    assert {"notify", "open_form", "schedule", "require_signature"} == set(done)


@pytest.mark.requirement("DR-057", "DR-075", "DR-078")
@pytest.mark.parametrize(
    ("biopsy", "code", "back_in"),
    [
        (date(2027, 5, 3), "followup_with_biopsy", "precrf_complete"),
        (None, "followup_without_biopsy", "review_ready"),
    ],
)
def test_without_a_diagnosis_a_follow_up_leads_back_to_the_pathologist_or_the_meeting(
    biopsy: date | None, code: str, back_in: str
) -> None:
    none = {"crf.complete": True, "outcome.met": False}
    answered = {"followup.complete": True, "followup.D16": biopsy}
    states, done = walk(
        *TO_REVIEW, ("no_diagnosis", none, {"system"}), (code, answered, {"system"})
    )
    assert states[-2:] == ["followup_required", back_in]
    assert {"request_information", "request_follow_up", "start_timer"} <= set(done)


@pytest.mark.requirement("DR-102", "DR-058")
@pytest.mark.parametrize("steps", range(5))
def test_a_review_is_forced_from_every_state_before_it_by_the_manager(steps: int) -> None:
    way = TO_REVIEW[:steps]
    if steps == 4:
        way = (*TO_REVIEW, ("no_diagnosis", {"crf.complete": True, "outcome.met": False},
                            {"system"}))  # fmt: skip
    states, _done = walk(*way, ("force_review", {}, {"review_manager"}))
    assert states[-1] == "review_ready"


@pytest.mark.requirement("DR-108", "DR-103")
def test_everything_of_a_review_type_is_in_its_files() -> None:
    manifest = json.loads((FOLDER / "review_type.json").read_bytes())
    forms = {
        slot["code"]: form_of(slot["form"].removesuffix(".json")) for slot in manifest["slots"]
    }
    for where in ("working_diagnosis", "local_diagnosis", "diagnosis"):
        slot, _, item = manifest[where].partition(".")
        assert item in forms[slot].spots
    diagnosis = forms["crf"].spots["C15"].item
    assert forms["crf"].codes_of(diagnosis) == tuple(each["code"] for each in manifest["outcomes"])
    assert [each["code"] for each in manifest["outcomes"] if not each["met"]] == ["none"]
