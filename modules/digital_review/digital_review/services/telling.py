"""Telling people that something waits for them: on screen at once, and by mail (DR-130).

A mail says what kind of thing waits and where, and nothing of whom: no number, no name. The outbox
tries it again until it is delivered (DR-131, DR-132); what it tells of is saved all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from digital_review.models import Case, CaseForm, FormSlot, OutcomeSpecialist
from digital_review.models.reach import (
    ANAMNESIS,
    BUREAU,
    FILL,
    LEAD,
    MANAGE,
    MINUTES,
    PATHOLOGY,
    SIGN_FORM,
    SIGN_REVIEW,
)
from digital_review.rules.conduct import Role
from portal.access.decision import can
from portal.access.who_may import who_may
from portal.notifications.models import NotificationChoice, OutboxMail
from portal.notifications.outbox import queue_mail
from portal.notifications.services import choices_of, notify, tasks_changed

PRIVILEGE_OF: Mapping[Role, str] = {
    Role.TRIAL_BUREAU: BUREAU,
    Role.DATAMANAGER: FILL,
    Role.DOCTOR: SIGN_FORM,
    Role.CLINICIAN: ANAMNESIS,
    Role.PATHOLOGIST: PATHOLOGY,
    Role.CHAIRMAN: LEAD,
    Role.SECRETARY: MINUTES,
    Role.SPECIALIST: SIGN_REVIEW,
    Role.MANAGER: MANAGE,
}
"""What somebody of the role may do, on the case or on the forms of its hospital."""
OF_HOSPITAL = frozenset({FILL, SIGN_FORM})


def hospital_form(case: Case) -> CaseForm:
    """Any form of the case that its hospital fills in: what the hospital's people are asked on."""
    return CaseForm(case=case, slot=FormSlot(filled_by=FormSlot.FilledBy.HOSPITAL))


def people_of(role: Role, case: Case) -> list[Any]:
    """Who is told as ``role``. The review manager, who may everything, is told as such alone,
    unless there is nobody else; the doctor who may fill in likewise."""
    if role is Role.SYSTEM:
        return []
    if role is Role.SPECIALIST and case.outcome is not None:
        named = responsible_for(case)
        if named:
            return named
    privilege = PRIVILEGE_OF[role]
    target = hospital_form(case) if privilege in OF_HOSPITAL else case
    people = [person for person, _why in who_may(privilege, target).people]
    return _without(people, role, case)


def _without(people: list[Any], role: Role, case: Case) -> list[Any]:
    if role is Role.MANAGER:
        return people
    own = [person for person in people if not can(person, MANAGE, case)]
    if role is Role.DATAMANAGER:
        form = hospital_form(case)
        own = [person for person in own if not can(person, SIGN_FORM, form)] or own
    return own or people


def responsible_for(case: Case) -> list[Any]:
    """The specialists responsible for the outcome of the case (DR-075, DR-120)."""
    if case.outcome is None:
        return []
    named = OutcomeSpecialist.objects.filter(outcome=case.outcome, person__is_active=True)
    return [each.person for each in named.select_related("person").order_by("pk")]


def tell(
    people: Iterable[Any],
    text: Any,
    facts: Mapping[str, object],
    *,
    path: str,
    subject: Any = "",
    but: Any = None,
) -> list[Any]:
    """Tell each of them in their language; who they are. ``text`` and ``subject`` are lazy.

    ``text`` with ``facts`` goes on the screen; with a ``subject`` a mail goes out at once, holding
    that and the address of the page. ``but``: who did it knows it already.
    """
    told = [each for each in dict.fromkeys(people) if each != but]
    for person in told:
        with translation.override(person.language or settings.LANGUAGE_CODE):
            notify(person, str(text) % facts, url=path)
            mailed = choices_of(person)["info"] == NotificationChoice.Mail.AT_ONCE
            if subject and person.email and not mailed:
                queue_mail(
                    person.email, str(subject), _("Open it here: %(url)s") % {"url": address(path)}
                )
    tasks_changed(told)
    return told


def address(path: str) -> str:
    """The whole address of a page of the portal."""
    return str(settings.PORTAL_BASE_URL).rstrip("/") + path


def form_path(form: CaseForm) -> str:
    return reverse("digital_review:form", args=[form.pk])


def case_path(case: Case) -> str:
    return reverse("digital_review:case", args=[case.pk])


def undelivered(path: str) -> list[OutboxMail]:
    """Mails that lead to this page and could not be sent so far (UC4, DR-131)."""
    return [
        *OutboxMail.objects.filter(text__contains=f"{address(path)}", attempts__gt=0)
        .exclude(state=OutboxMail.State.SENT)
        .order_by("pk")
    ]
