"""Digital Review's part of the table: patients in review, their page, letters."""

from __future__ import annotations

from typing import Any

from tests.authorisation.expectations import Row, pk_of


def roles(*codes: str) -> frozenset[str]:
    return frozenset(f"digital_review.{code}" for code in codes)


MANAGER = roles("review_manager")
CLINICIAN = MANAGER | roles("clinician")
SEE = CLINICIAN | roles("trial_bureau", "review_pathologist", "chairman", "secretary", "specialist")
SIGN_REVIEWS = CLINICIAN | roles("specialist")
READ_LETTERS = SEE | roles("treating_doctor")


def _tab(objects: Any, person: Any) -> dict[str, Any]:
    return {"pk": objects["case"].pk, "tab": "history"}


def _forced(objects: Any, person: Any) -> dict[str, Any]:
    return {"pk": objects["case"].pk, "code": "force_review"}


def _letter(objects: Any, person: Any) -> dict[str, Any]:
    return {"pk": objects["case"].pk, "kind": "oncologist"}


def _page(objects: Any, person: Any) -> dict[str, Any]:
    return {**_letter(objects, person), "page": 1}


URLS: dict[str, Row] = {
    "digital_review:overview": Row(SEE),
    "digital_review:overview_excel": Row(SEE),
    "digital_review:overview_paper": Row(SEE),
    "digital_review:case": Row(SEE, args=pk_of("case")),
    "digital_review:case_tab": Row(SEE, args=_tab),
    "digital_review:case_go": Row(MANAGER, args=_forced),
    "digital_review:case_protocol": Row(SIGN_REVIEWS, args=pk_of("case")),
    "digital_review:anamnesis_add": Row(CLINICIAN, args=pk_of("case")),
    "digital_review:anamnesis_change": Row(CLINICIAN, args=pk_of("anamnesis")),
    "digital_review:anamnesis_remove": Row(CLINICIAN, args=pk_of("anamnesis")),
    # of a review that is not signed: refused with a reason, to who may
    "digital_review:letter_new": Row(SIGN_REVIEWS, args=_letter),
    "digital_review:letter_preview": Row(SIGN_REVIEWS, args=_page),
    "digital_review:letter": Row(READ_LETTERS, args=pk_of("letter")),
    "digital_review:letter_pdf": Row(READ_LETTERS, args=pk_of("letter")),
}
