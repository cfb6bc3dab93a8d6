"""Links that every page of a record has; the component `c-record-items` shows them in its menu."""

from __future__ import annotations

from typing import Any

from django import template
from django.db.models import Model
from django.urls import reverse
from django.utils.http import urlencode

from portal.access.decision import can

register = template.Library()

BROWSE = "audit.browse_logs"


@register.simple_tag(takes_context=True)
def record_links(context: dict[str, Any], record: Model) -> dict[str, str]:
    """``history`` and, for those who may browse the logs, ``seen``: addresses. No query."""
    label = record._meta.label_lower  # noqa: SLF001
    links = {"history": reverse("operations:history", args=[label, record.pk]), "seen": ""}
    user = context.get("user")
    if user is not None and user.is_authenticated and can(user, BROWSE):
        wanted = urlencode({"object_type": label, "object_id": record.pk})
        links["seen"] = f"{reverse('operations:who_saw')}?{wanted}"
    return links


@register.simple_tag(takes_context=True)
def removed_link(context: dict[str, Any], label: str) -> str:
    """Where removed records of the model ``app.Model`` are, for those who may restore some."""
    from portal.operations.removed import restorable_by

    user = context.get("user")
    if user is None or not user.is_authenticated:
        return ""
    known = {model._meta.label_lower for model in restorable_by(user)}  # noqa: SLF001
    return reverse("operations:removed_of", args=[label]) if label in known else ""
