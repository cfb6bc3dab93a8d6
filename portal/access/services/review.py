"""The yearly review: what is held at a unit and below, confirmed or revoked by line (PT-017).

Signing off is electronic, and so lies above: portal.operations.access_review.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.authority import covers
from portal.access.decision import can, held_by
from portal.access.granted import members_of
from portal.access.models import (
    AccessReview,
    GroupMember,
    ObjectException,
    ReviewLine,
    RoleGrant,
)
from portal.access.review_lines import lines_of_unit
from portal.access.reviewing import REVIEW, undecided
from portal.access.rules import REMIND_BEFORE
from portal.access.services.exceptions import take_exception
from portal.access.services.grants import take_away
from portal.access.services.groups import take_out
from portal.audit.services import record
from portal.organisation.models import Unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.records.services import change_many, create_many, locked, writes

_Decision = ReviewLine.Decision


@writes
def open_review(
    *, actor: Any, unit: Unit, reason: str = "", due_on: date | None = None
) -> AccessReview:
    """Write down everything that is held at the unit and below it now, to be gone through.

    Refused with code ``outside_unit``, ``already_open``, or ``nothing`` where nothing is held.
    """
    unit = Unit.objects.get(pk=unit.pk)
    _check_reviews(actor, unit)
    today = timezone.localdate()
    try:
        with transaction.atomic():
            review = AccessReview.objects.create(
                unit=unit,
                place=str(unit),
                due_on=due_on or today + REMIND_BEFORE,
                opened_by=actor,
            )
    except IntegrityError:
        raise Refused(_("A review of this unit is under way."), code="already_open") from None
    lines = lines_of_unit(review, today)
    if not lines:
        raise Refused(_("Nobody holds anything at this unit or below it."), code="nothing")
    create_many(ReviewLine, lines)
    record("access.review_opened", review, data={"unit": unit.code, "lines": len(lines)})
    return review


@writes
def confirm_lines(*, actor: Any, review_id: int, line_ids: Collection[int]) -> int:
    """Confirm that these go on as they are; returns how many were still undecided.

    Refused with code ``closed``, and ``own_line`` where one of them is the actor's own.
    """
    review = _locked_open(review_id)
    lines = undecided(review).filter(pk__in=line_ids)
    count = 0
    for line in lines.select_related("person", "group", "unit").select_for_update(
        no_key=True, of=("self",)
    ):
        _check_decides(actor, line)
        _decide(actor, line, _Decision.CONFIRMED, "")
        count += 1
    record("access.review_confirmed", review, data={"lines": sorted(line_ids), "count": count})
    return count


@writes
def revoke_line(*, actor: Any, line_id: int, reason: str) -> ReviewLine:
    """Take away what the line says, at once.

    Refused with code ``closed``, ``own_line``, ``reason_needed``, ``decided`` for a line that was
    revoked or has ended.
    """
    if not reason.strip():
        raise Refused(_("Say why it is taken away."), code="reason_needed")
    found = ReviewLine.objects.filter(pk=line_id).values_list("review", flat=True).first()
    _locked_open(found or 0)
    line = locked(ReviewLine.objects.select_related("person", "group", "unit"), line_id)
    _check_decides(actor, line)
    if line.decision not in {_Decision.OPEN, _Decision.CONFIRMED}:
        raise Refused(_("This line is decided already."), code="decided")
    _take(line)
    _decide(actor, line, _Decision.REVOKED, reason.strip())
    record("access.review_revoked", line, data={"who": line.holder, "held": line.held})
    return line


@writes
def close_review(*, actor: Any, review_id: int, remark: str = "") -> AccessReview:
    """The review is whole; what it says is not changed any more.

    Refused with code ``closed``, ``outside_unit``, or ``undecided`` while lines are open.
    """
    review = _locked_open(review_id)
    _check_reviews(actor, review.unit)
    left = undecided(review).count()
    if left:
        raise Refused(
            _("%(left)d lines are still to be decided.") % {"left": left}, code="undecided"
        )
    lines = ReviewLine.objects.filter(review=review)
    change_many(lines.filter(decision=_Decision.OPEN), decision=_Decision.ENDED)
    review.closed_at, review.closed_by = timezone.now(), actor
    review.remark = remark.strip()
    review.save()
    counts = {value: lines.filter(decision=value).count() for value in _Decision.values if value}
    record("access.review_closed", review, data={"unit": review.unit.code, **counts})
    return review


# --- parts ----------------------------------------------------------------------------------------


def _check_reviews(actor: Any, unit: Unit) -> None:
    if isinstance(actor, ServiceActor):
        raise PermissionDenied("a review is a person's")
    if not can(actor, REVIEW):
        raise PermissionDenied(f"{REVIEW} is needed")
    if not any(covers(each, unit, below=True) for each in held_by(actor).of(REVIEW)):
        raise Refused(_("You do not review access at this unit."), code="outside_unit")


def _locked_open(review_id: int) -> AccessReview:
    review = locked(AccessReview.objects.select_related("unit"), review_id)
    if review.closed_at is not None:
        raise Refused(_("This review is signed off."), code="closed")
    return review


def _check_decides(actor: Any, line: ReviewLine) -> None:
    _check_reviews(actor, line.unit)
    if line.person_id == actor.pk or (line.group and actor in members_of(line.group)):
        raise Refused(_("Somebody else has to decide about what you hold."), code="own_line")


def _decide(actor: Any, line: ReviewLine, decision: str, reason: str) -> None:
    line.decision, line.reason = decision, reason
    line.decided_by, line.decided_at = actor, timezone.now()
    line.save()


def _take(line: ReviewLine) -> None:
    """End what the line is about; Refused(code="gone") when it is over already."""
    if line.grant_id:
        take_away(
            locked(RoleGrant.objects.select_related("role", "unit", "user", "group"), line.grant_id)
        )
    elif line.member_id:
        take_out(locked(GroupMember.objects.select_related("user", "group__unit"), line.member_id))
    else:
        exception = locked(ObjectException.objects.select_related("user"), line.exception_id)
        take_exception(exception.user, exception.privilege, _object_of(exception))


def _object_of(exception: ObjectException) -> Any:
    try:
        model = apps.get_model(exception.object_type)
        return model._base_manager.get(pk=exception.object_id)  # noqa: SLF001
    except (LookupError, ValueError, ObjectDoesNotExist):
        raise Refused(
            _("The module of this object is not installed: nothing can be taken away from it."),
            code="no_module",
        ) from None
