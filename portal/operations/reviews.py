"""Reviews of the audit trail: each goes on where the last one ended, and is signed (PT-024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Max, Min, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.access.decision import can, require
from portal.audit.chain import TRAIL
from portal.audit.models import AuditEntry, ChainLink
from portal.audit.services import record
from portal.audit.verification import range_faults
from portal.notifications.my_tasks import MyTask
from portal.operations.models import TrailReview
from portal.operations.trail import narrowed
from portal.records.errors import Refused
from portal.records.services import writes
from portal.signing.services import Signer, made_by_act, reads, sign

REVIEW = "audit.review_trail"
REVIEWED = "audit.reviewed"
SIGNABLE = "operations.trail_review"
REMIND_BEFORE = timedelta(days=7)
_MOST_ACTS = 200


def meaning() -> str:
    """What the signature says, in the words that the signer sees."""
    return _("Reviewed the audit trail")


@dataclass(frozen=True)
class Part:
    """A part of the trail, from the link after the last review up to ``head``."""

    first_seq: int
    head: ChainLink
    from_at: datetime
    until_at: datetime

    @property
    def entries(self) -> int:
        return self.head.seq - self.first_seq + 1


def last_review() -> TrailReview | None:
    return TrailReview.objects.select_related("reviewed_by").order_by("-last_seq").first()


def part_to_review(last_seq: int | None = None) -> Part | None:
    """What was written since the last review, up to ``last_seq`` or to the newest entry."""
    last = last_review()
    first = last.last_seq + 1 if last else 1
    links = ChainLink.objects.filter(chain=TRAIL, seq__gte=first)
    if last_seq is not None:
        links = links.filter(seq__lte=last_seq)
    head = links.order_by("-seq").first()
    if head is None or last_seq not in (None, head.seq):
        return None
    times = _entries(first, head.seq).aggregate(begin=Min("at"), end=Max("at"))
    if times["begin"] is None:  # its entries were removed: verification names them
        return None
    return Part(first, head, times["begin"], times["end"])


def _entries(first: int, last: int) -> QuerySet[AuditEntry]:
    links = ChainLink.objects.filter(chain=TRAIL, seq__gte=first, seq__lte=last)
    return AuditEntry.objects.filter(pk__in=links.values("entry_id"))


def entries_looked_at(part: Part, wanted: Mapping[str, Any]) -> QuerySet[AuditEntry]:
    """Those of the part that the reviewer's filter leaves."""
    among = _entries(part.first_seq, part.head.seq).values("pk")
    return narrowed(AuditEntry, wanted).filter(pk__in=among)


def acts_in(part: Part, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """How often each act occurs among them, the rarest first: those are the ones to look at."""
    acts = entries_looked_at(part, wanted).order_by().values("action")
    return list(acts.annotate(count=Count("pk")).order_by("count", "action")[:_MOST_ACTS])


@writes
def sign_review(
    *,
    actor: Any,
    last_seq: int,
    wanted: Mapping[str, Any],
    filters: Mapping[str, str],
    findings: str,
    signer: Signer,
) -> TrailReview:
    """Sign that the trail was reviewed up to the link that the page showed.

    ``wanted`` is the filter with which it was looked at (a `LogFilter`'s cleaned data), ``filters``
    the same as text, to be signed. ``signer`` comes from `portal.signing.web.signer_of`, before the
    transaction. Refused: ``no_findings``, ``nothing_new`` (also when somebody else reviewed it
    meanwhile), ``unsound`` for a part that does not verify, and what `sign` refuses.
    """
    require(actor, REVIEW)
    if not findings.strip():
        raise Refused(_("Write what was looked at, and what was found."), code="no_findings")
    part = part_to_review(last_seq)
    if part is None:
        raise Refused(_("Nothing was written since the last review."), code="nothing_new")
    if faults := range_faults(TRAIL, part.first_seq - 1, last_seq):
        raise Refused(
            _("This part of the trail does not verify, so it cannot be signed off."),
            code="unsound",
            details=[str(fault) for fault in faults[:10]],
        )
    review = TrailReview(
        first_seq=part.first_seq,
        last_seq=last_seq,
        head=part.head,
        from_at=part.from_at,
        until_at=part.until_at,
        filters=dict(filters),
        found=entries_looked_at(part, wanted).count(),
        findings=findings.strip(),
        reviewed_by=actor,
    )
    try:
        with transaction.atomic():
            review.save()
    except IntegrityError as error:  # the same part, signed by somebody else at this moment
        raise Refused(
            _("Somebody else has just signed off this part."), code="nothing_new"
        ) from error
    sign(actor=actor, signable=SIGNABLE, obj=review, meaning=meaning(), key=signer)
    facts = {"from_link": review.first_seq, "to_link": last_seq, "found": review.found}
    record(REVIEWED, review, data=facts, reason=review.findings)
    return review


@made_by_act()
@reads("head")
def signed_facts(review: TrailReview) -> dict[str, Any]:
    """What the reviewer signed; the head as it is in the chain now, so that a change shows."""
    return {
        "log": TRAIL,
        "first_link": review.first_seq,
        "last_link": review.last_seq,
        "head": {
            "chain": review.head.chain,
            "link": review.head.seq,
            "sha256": bytes(review.head.hash).hex(),
        },
        "from": review.from_at,
        "until": review.until_at,
        "filters": review.filters,
        "entries_looked_at": review.found,
        "findings": review.findings,
    }


# --- the reminder ---------------------------------------------------------------------------------


def due_at() -> datetime | None:
    """By when the trail is to be reviewed again; None where nobody wants to be reminded."""
    days = settings.PORTAL_TRAIL_REVIEW_DAYS
    if not days:
        return None
    last = last_review()
    if last is not None:
        return last.reviewed_at + timedelta(days=days)
    first = AuditEntry.objects.order_by("pk").values_list("at", flat=True).first()
    return first + timedelta(days=days) if first else None


def task_of(user: Any, now: datetime) -> list[MyTask]:
    """*My tasks* of those who sign reviews off, from a week before the review is due."""
    if not can(user, REVIEW):
        return []
    due = due_at()
    if due is None or now < due - REMIND_BEFORE:
        return []
    return [
        MyTask(
            _("Review the audit trail and sign it off"),
            reverse("operations:review_new"),
            icon="history",
            due_at=due,
            urgent=now > due,
        )
    ]
