"""How much is kept of other systems' answers, and for how long (DR-143)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Sum

from portal.audit.services import record
from portal.connectors.models import CachedAnswer, QueuedWrite

_AT_ONCE = 100


def make_room() -> int:
    """Remove what was unused longest until the rest fits PORTAL_OUTSIDE_CACHE_MB; how many."""
    limit = settings.PORTAL_OUTSIDE_CACHE_MB * 1024 * 1024
    total = CachedAnswer.objects.aggregate(total=Sum("size_bytes"))["total"] or 0
    removed = 0
    while total > limit:
        oldest = CachedAnswer.objects.order_by("used_at", "pk").values_list("pk", "size_bytes")
        chosen = []
        for pk, size in oldest[:_AT_ONCE]:
            if total <= limit:
                break
            chosen.append(pk)
            total -= size
        if not chosen:
            break
        removed += CachedAnswer.objects.filter(pk__in=chosen).delete()[0]
    return removed


def forget_unused(now: datetime) -> int:
    """Remove what nobody looked at for PORTAL_OUTSIDE_CACHE_KEEP_DAYS; how many."""
    before = now - timedelta(days=settings.PORTAL_OUTSIDE_CACHE_KEEP_DAYS)
    return CachedAnswer.objects.filter(used_at__lt=before).delete()[0]


def forget_payloads(now: datetime) -> int:
    """Remove what was written some PORTAL_OUTSIDE_WRITES_KEEP_DAYS after it was settled; how many.

    The rows stay: that it was delivered, and when.
    """
    before = now - timedelta(days=settings.PORTAL_OUTSIDE_WRITES_KEEP_DAYS)
    settled = QueuedWrite.objects.filter(settled_at__lt=before, payload__isnull=False)
    count = settled.exclude(state__in=QueuedWrite.OPEN).update(payload=None)
    if count:
        record("connectors.payloads_removed", data={"writes": count, "settled_before": before})
    return count
