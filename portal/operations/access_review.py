"""Signing off the yearly review of access, as Excel, and reminding of it (PT-017).

What is reviewed and decided is portal.access's; signatures, spreadsheets and tasks lie above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.access.models import AccessReview, ReviewLine
from portal.access.reviewing import Due, due_for
from portal.access.rules import is_coming_due
from portal.access.services import close_review
from portal.notifications.my_tasks import MyTask
from portal.records.services import writes
from portal.signing.services import Signer, reads, sign

SIGNABLE = "operations.access_review"


def meaning() -> str:
    """What a signature under a review says."""
    return _("I have reviewed who holds what here; what is confirmed is needed")


@reads("lines")
def signed_facts(review: AccessReview) -> dict[str, Any]:
    """What the signer saw: each line as it stood, and what was decided."""
    return {
        "unit": review.place,
        "opened_on": timezone.localdate(review.created_at).isoformat(),
        "remark": review.remark,
        "lines": [
            _line_facts(line) for line in sorted(review.lines.all(), key=lambda each: each.pk)
        ],
    }


def _line_facts(line: ReviewLine) -> dict[str, Any]:
    return {
        "who": line.holder,
        "holds": line.held,
        "at": line.place,
        "how": line.details,
        "since": line.since.isoformat(),
        "decision": line.decision,
        "reason": line.reason,
    }


@writes
def sign_review(*, actor: Any, review_id: int, signer: Signer, remark: str = "") -> AccessReview:
    """Sign the review off: nothing of it changes any more.

    ``signer`` comes from `portal.signing.web.signer_of`, before the transaction. Refused as
    :func:`~portal.access.services.close_review` and as `sign`.
    """
    review = close_review(actor=actor, review_id=review_id, remark=remark)
    sign(actor=actor, signable=SIGNABLE, obj=review, meaning=meaning(), key=signer)
    return review


# --- as Excel -------------------------------------------------------------------------------------


def sheet_head() -> list[str]:
    """The heads of the columns; of the last use they say what it is."""
    return [
        _("Unit"),
        _("Who"),
        _("Holds"),
        _("How"),
        _("Since"),
        _("Granted by"),
        _("Last logged act in the module"),
        _("Last seen in the portal"),
        _("Decision"),
        _("Reason"),
        _("Decided by"),
        _("Decided"),
    ]


def sheet_rows(lines: Iterable[ReviewLine]) -> Iterator[Sequence[Any]]:
    for line in lines:
        yield (
            line.place,
            line.holder,
            line.held,
            line.details,
            line.since,
            line.granted_by,
            line.last_act_at,
            line.last_seen_at,
            line.get_decision_display(),
            line.reason,
            str(line.decided_by or ""),
            line.decided_at,
        )


# --- my tasks -------------------------------------------------------------------------------------


def tasks_for(user: Any) -> list[MyTask]:
    """*My tasks*: reviews that are due, under way or overdue, for those who do them."""
    today = timezone.localdate()
    return [
        _task(due, today)
        for due in due_for(user)
        if due.review is not None or is_coming_due(due.due_on, today)
    ]


def _task(due: Due, today: date) -> MyTask:
    url = reverse("operations:access_reviews")
    title = _("Access review of %(unit)s: begin it") % {"unit": due.unit_name}
    if due.review is not None:
        url = reverse("operations:access_review", args=[due.review.pk])
        title = _("Access review of %(unit)s: sign it off") % {"unit": due.unit_name}
        if due.left:
            title = ngettext(
                "Access review of %(unit)s: %(left)d line to decide",
                "Access review of %(unit)s: %(left)d lines to decide",
                due.left,
            ) % {"unit": due.unit_name, "left": due.left}
    overdue = due.due_on is not None and due.due_on < today
    return MyTask(title, url, icon="users", due_at=_end_of(due.due_on), urgent=overdue)


def _end_of(day: date | None) -> datetime | None:
    return None if day is None else timezone.make_aware(datetime.combine(day, time.max))
