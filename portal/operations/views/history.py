"""The history of any record, for those who may see the record (PT-020, PT-024)."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from portal.access.decision import can, visible
from portal.audit.models import AuditEntry
from portal.audit.services import Access, log_access
from portal.operations.histories import changes, has_history
from portal.operations.trail import PAGE_LENGTH, kind_label
from portal.registry import registry

BROWSE = "audit.browse_logs"


@require_safe
def history(request: HttpRequest, model: str, pk: str) -> HttpResponse:
    """``model`` is ``app_label.model``. A record one may not see does not exist."""
    try:
        found = apps.get_model(model)
    except (LookupError, ValueError):
        return _without_model(request, model.lower(), pk)
    record = _record(request.user, found, pk)
    if record is None or not has_history(found):
        raise Http404
    asked = request.GET.get("page", "")
    page = max(1, int(asked)) if asked.isdecimal() and len(asked) < 10 else 1
    rows, more = changes(record, page)
    log_access(Access.OPEN, record, data={"view": "history"})
    browses = can(request.user, BROWSE)
    label = found._meta.label_lower  # noqa: SLF001
    return render(
        request,
        "operations/history.html",
        {
            "record": record,
            "kind": kind_label(label),
            "object_type": label,
            "changes": rows,
            "page": page,
            "more": more,
            "browses": browses,
            "entries": _entries(label, pk) if browses else [],
            "restore_url": _restore_url(request.user, record),
        },
    )


def _restore_url(user: Any, record: Any) -> str:
    """Where the removed record is brought back, for those who may."""
    policy = getattr(type(record), "access", None)
    if not getattr(record, "is_deleted", False) or policy is None or not policy.restore:
        return ""
    if not can(user, policy.restore, record):
        return ""
    return reverse("operations:restore", args=[record._meta.label_lower, record.pk])  # noqa: SLF001


def _record(user: Any, model: type[Model], pk: str) -> Any:
    every = getattr(model, "all_objects", model._default_manager).all()  # noqa: SLF001
    try:
        if can(user, BROWSE):
            record = every.filter(pk=pk).first()
            if record is None or not _is_sealed(record):
                return record
        return visible(user, every).filter(pk=pk).first()
    except (ValueError, ValidationError):
        return None


def _is_sealed(record: Any) -> bool:
    policy = getattr(type(record), "access", None)
    return bool(policy and policy.sealed and policy.sealed(record))


def _without_model(request: HttpRequest, object_type: str, pk: str) -> HttpResponse:
    """The module is gone or quarantined: its tables are there, what reads them is not."""
    if not can(request.user, BROWSE):
        raise PermissionDenied
    entries = _entries(object_type, pk)
    label = object_type.partition(".")[0]
    if not entries and label not in registry.quarantined:
        raise Http404
    log_access(Access.OPEN, f"history of {object_type} {pk}")
    return render(
        request,
        "operations/history_without_model.html",
        {
            "module": label,
            "object_type": object_type,
            "object_id": pk,
            "reason": registry.quarantined.get(label, ""),
            "entries": entries,
        },
    )


def _entries(object_type: str, pk: str) -> list[AuditEntry]:
    return list(
        AuditEntry.objects.filter(object_type=object_type, object_id=pk).order_by("-pk")[
            :PAGE_LENGTH
        ]
    )
