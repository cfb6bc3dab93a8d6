"""*Removed*: soft-deleted records, for those who may restore them (PT-021)."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.access.acts import ask
from portal.access.forms import ReasonForm
from portal.operations.removed import described, removed_rows, restorable_by, restore_record
from portal.records.models import BareRecord

PAGE_LENGTH = 50


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """The kinds of records that the person may restore, with how many are removed."""
    models = restorable_by(request.user)
    if not models:
        raise PermissionDenied
    kinds = [
        {
            "label": model._meta.verbose_name_plural,  # noqa: SLF001
            "module": model._meta.app_config.verbose_name,  # noqa: SLF001
            "count": removed_rows(request.user, model).count(),
            "url": reverse("operations:removed_of", args=[_label(model)]),
        }
        for model in models
    ]
    return render(request, "operations/removed.html", {"kinds": kinds})


@require_safe
def of_model(request: HttpRequest, model: str) -> HttpResponse:
    """The removed records of one kind, the last removed first."""
    found = _model(request.user, model)
    # the descriptions name what the rows belong to
    rows = removed_rows(request.user, found).select_related()
    page = Paginator(rows, PAGE_LENGTH).get_page(request.GET.get("page"))
    context = {
        "label": _label(found),
        "kind": found._meta.verbose_name_plural,  # noqa: SLF001
        "page": page,
        "rows": described(list(page.object_list)),
    }
    return render(request, "operations/removed_of.html", context)


@require_http_methods(["GET", "POST"])
def restore(request: HttpRequest, model: str, pk: str) -> HttpResponse:
    """Ask for the reason, then bring the record back."""
    found = _model(request.user, model)
    try:
        row = removed_rows(request.user, found).filter(pk=pk).first()
    except (ValueError, ValidationError):
        row = None
    if row is None:
        raise Http404

    def act(reason: str) -> Any:
        return restore_record(actor=request.user, model=found, pk=row.pk, reason=reason)

    return ask(
        request,
        ReasonForm(request.POST or None),
        act,
        title=_("Restore %(record)s") % {"record": row},
        words=_("It comes back into every list, as it was when it was removed."),
        back=reverse("operations:removed_of", args=[_label(found)]),
    )


def _model(user: Any, label: str) -> type[BareRecord]:
    """404 alike for what does not exist and for what one may not restore."""
    for model in restorable_by(user):
        if _label(model) == label:
            return model
    raise Http404


def _label(model: type[BareRecord]) -> str:
    return model._meta.label_lower  # noqa: SLF001
