"""What operators write: the sign-off of a review of the audit trail (PT-024)."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from portal.access.decision import require
from portal.audit.models import AuditEntry
from portal.audit.services import record
from portal.operations.trail import REVIEWED, last_review
from portal.records.errors import Refused
from portal.records.services import writes


@writes
def review_trail(*, actor: Any, reason: str) -> AuditEntry:
    """Note, in the trail itself, that it was reviewed up to its newest entry; ``reason`` says what
    was looked at and found. Chained and permanent like every entry."""
    require(actor, "audit.browse_logs")
    newest = AuditEntry.objects.exclude(action=REVIEWED).order_by("-pk").first()
    before = last_review()
    since = before.data.get("to_entry", 0) if before else 0
    if newest is None or newest.pk <= since:
        raise Refused(_("Nothing was written since the last review."), code="nothing_new")
    count = AuditEntry.objects.filter(pk__gt=since, pk__lte=newest.pk).count()
    return record(REVIEWED, data={"from_entry": since + 1, "to_entry": newest.pk, "entries": count})
