"""The portal's search: patients in review by their number (DR-034)."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from digital_review.models import Case
from portal.access.decision import visible

MOST = 10


def search(user: Any, query: str) -> list[tuple[str, str]]:
    """Number and review of the cases that the person may see, and their pages; no initials."""
    text = query.strip()
    if not text:
        return []
    found = visible(user, Case.objects.filter(patient__number__icontains=text))
    cases = found.select_related("patient", "review_type").order_by("patient__number", "pk")[:MOST]
    return [(str(case), reverse("digital_review:case", args=[case.pk])) for case in cases]
