"""Digital Review's part of the table: the forms of cases.

A role is tried at a unit that owns a review and is the hospital of its patient, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from tests.authorisation.expectations import Row, Topic, pk_of, post


def _roles(*codes: str) -> frozenset[str]:
    return frozenset(f"digital_review.{code}" for code in codes)


MANAGER = _roles("review_manager")
BUREAU = MANAGER | _roles("trial_bureau")
HOSPITAL = _roles("datamanager", "treating_doctor")
REVIEW = BUREAU | _roles("clinician", "review_pathologist", "chairman", "secretary", "specialist")
ALL = REVIEW | HOSPITAL
FILL = BUREAU | HOSPITAL
DOCTOR = MANAGER | _roles("treating_doctor")
ASK = BUREAU | _roles("review_pathologist")


def _typed(objects: Mapping[str, Any], person: Any) -> dict[str, Any]:
    return {"opened_version": 1, "sequence": 1, "history": "x"}


def _file(objects: Mapping[str, Any], person: Any) -> dict[str, Any]:
    return {"file:history": SimpleUploadedFile("x.pdf", b"%PDF-")}


_DRAFT, _COMPLETE = {"args": pk_of("draft_form")}, {"args": pk_of("complete_form")}
_SIGNED, _CASE = {"args": pk_of("signed_form")}, {"args": pk_of("case_of_forms")}

URLS: dict[str, Row] = {
    "digital_review:forms": Row(ALL),
    "digital_review:start_case": Row(BUREAU),
    "digital_review:start_follow_up": Row(BUREAU),
    "digital_review:form": Row(ALL, **_DRAFT),
    "digital_review:form_fill": Row(FILL, **_DRAFT),
    "digital_review:form_check": post(FILL, **_DRAFT, data=_typed),
    "digital_review:form_notice": Row(ALL, **_DRAFT),
    "digital_review:form_upload": post(FILL, **_DRAFT, data=_file),
    "digital_review:form_discard": Row(ALL, **_DRAFT),
    "digital_review:form_complete": Row(FILL, **_DRAFT),
    "digital_review:form_reopen": Row(FILL, **_COMPLETE),
    "digital_review:form_print": Row(ALL, **_DRAFT),
    "digital_review:form_pdf": Row(ALL, **_DRAFT),
    "digital_review:form_blank": Row(ALL, **_DRAFT),
    "digital_review:form_excel": Row(ALL, **_DRAFT),
    "digital_review:form_file": Row(
        ALL,
        args=lambda objects, _: {"pk": objects["signed_form"].pk, "key": objects["form_file"].pk},
    ),
    "digital_review:form_sign": Row(DOCTOR, **_COMPLETE),
    "digital_review:form_attest": Row(FILL, **_COMPLETE),
    "digital_review:form_withdraw": Row(MANAGER, **_SIGNED),
    "digital_review:form_paper": Row(ALL, **_SIGNED),
    "digital_review:ask_hospital": Row(ASK, **_CASE),
    "digital_review:case_follow_up": Row(BUREAU, **_CASE),
}


def _topic(kind: str, name: str) -> Any:
    return lambda objects, _: f"digital_review/{kind}/{objects[name].pk}"


TOPICS: dict[str, Topic] = {
    r"digital_review/case/(?P<pk>\d+)": Topic(_topic("case", "case_of_forms"), REVIEW),
    r"digital_review/form/(?P<pk>\d+)": Topic(_topic("form", "draft_form"), ALL),
    "digital_review/forms": Topic(lambda _o, _p: "digital_review/forms", ALL, on_objects=False),
}
TASKS = MANAGER | HOSPITAL | _roles("clinician", "review_pathologist", "specialist")
