"""What is announced live of cases and their forms, and who may listen."""

from __future__ import annotations

from typing import Any

from digital_review.models import Case, CaseForm
from digital_review.models.reach import SEE, SEE_FORMS
from portal.access.decision import can, visible
from portal.live.services import publish

FORMS = "digital_review/forms"
"""Something became of a form: to the lists of forms to fill in."""


def case_topic(case_id: int) -> str:
    return f"digital_review/case/{case_id}"


def form_topic(form_id: int) -> str:
    return f"digital_review/form/{form_id}"


def may_see_case(user: Any, pk: str) -> bool:
    return visible(user, Case.objects.filter(pk=pk)).exists()


def may_see_form(user: Any, pk: str) -> bool:
    return visible(user, CaseForm.objects.filter(pk=pk)).exists()


def may_see_forms(user: Any) -> bool:
    return can(user, SEE_FORMS) or can(user, SEE)


def announce_form(form: CaseForm, what: str) -> None:
    """A form changed: to its own page, to the patient's page and to the lists."""
    publish(form_topic(form.pk), what, form.pk)
    publish(case_topic(form.case_id), what, form.pk)
    publish(FORMS, what, form.pk)


def announce_case(case: Case, what: str) -> None:
    publish(case_topic(case.pk), what, case.pk)
