"""The right to release a tracer (TS-085): given and taken by others, never by oneself."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.decision import can, require
from portal.audit.services import record
from portal.live.services import publish
from portal.notifications.services import notify
from portal.records.errors import Refused
from portal.records.services import locked, soft_delete, writes
from tracershop.models import Certification, Tracer
from tracershop.models.reach import CERTIFY, RELEASE
from tracershop.rules.release import CertificationFacts
from tracershop.selectors.topics import CERTIFICATIONS

ANNOUNCED_DAYS = (30, 7, 0)
LONGEST = timedelta(days=3 * 366)


@writes
def certify(
    *, actor: Any, user: Any, tracer_id: int, valid_from: date, expires_on: date, reason: str
) -> Certification:
    """Let ``user`` release the tracer between two days. A former certification for it ends."""
    require(actor, CERTIFY)
    if user == actor:
        raise Refused(_("Nobody certifies themselves."), code="self_grant")
    user = get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)
    if not can(user, RELEASE):
        raise Refused(_("%(name)s has no production role.") % {"name": user}, code="no_role")
    tracer = Tracer.objects.filter(pk=tracer_id).first()
    if tracer is None:
        raise Refused(_("There is no such tracer."), code="gone")
    if expires_on < valid_from or expires_on - valid_from > LONGEST:
        raise Refused(_("It must end after it begins, within three years."), code="period")
    if not reason.strip():
        raise Refused(_("A certification needs a reason."), code="reason_needed")
    for former in Certification.objects.filter(user=user, tracer=tracer):
        soft_delete(former)
    certification = Certification.objects.create(
        user=user, tracer=tracer, valid_from=valid_from, expires_on=expires_on, granted_by=actor
    )
    record(
        "tracershop.release_right_granted",
        certification,
        data={"valid_from": valid_from, "expires_on": expires_on},
    )
    publish(CERTIFICATIONS, "granted", certification.pk)
    return certification


@writes
def revoke_certification(*, actor: Any, certification_id: int, reason: str) -> None:
    require(actor, CERTIFY)
    certification = locked(Certification.objects.select_related("user"), certification_id)
    if certification.user == actor:
        raise Refused(_("Nobody changes their own certification."), code="self_grant")
    if not reason.strip():
        raise Refused(_("Revoking a certification needs a reason."), code="reason_needed")
    soft_delete(certification)
    record("tracershop.release_right_revoked", certification)
    publish(CERTIFICATIONS, "revoked", certification_id)


@writes
def announce_expiring(*, actor: Any, today: date | None = None) -> int:
    """Tell those whose certification ends in 30, 7 or 0 days, once each; returns how many."""
    today = today or timezone.localdate()
    told = 0
    for row in Certification.objects.select_related("user", "tracer", "granted_by").filter(
        expires_on__lte=today + timedelta(days=ANNOUNCED_DAYS[0]), expires_on__gte=today
    ):
        left = (row.expires_on - today).days
        step = min(days for days in ANNOUNCED_DAYS if days >= left)
        if row.announced_days is not None and row.announced_days <= step:
            continue
        text = _("%(name)s's certification for %(tracer)s expires in %(days)s days.") % {
            "name": row.user,
            "tracer": row.tracer,
            "days": left,
        }
        for person in {row.user, row.granted_by}:
            # the page is for those who certify
            url = reverse("tracershop:certifications") if can(person, CERTIFY) else ""
            notify(person, str(text), url=url, level="warning")
        row.announced_days = step
        row.save()
        told += 1
    return told


def hold_certifications(user: Any) -> None:
    """Until the transaction ends nobody revokes what the person is judged by."""
    list(Certification.objects.select_for_update(no_key=True).filter(user=user).order_by("pk"))


def certifications_of(user: Any) -> tuple[CertificationFacts, ...]:
    """What the rules need to know of the person's certifications."""
    return tuple(
        CertificationFacts(row.tracer_id, row.valid_from, row.expires_on)
        for row in Certification.objects.filter(user=user)
    )
