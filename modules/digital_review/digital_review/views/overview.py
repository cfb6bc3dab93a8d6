"""Patients in review: the list, as Excel, and on paper (DR-031, DR-033, DR-094)."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from digital_review.forms.overview import OverviewForm
from digital_review.models import Case, ReviewType
from digital_review.models.reach import BUREAU, SEE
from digital_review.selectors.overview import (
    COLUMNS,
    DEFAULT_TAB,
    TABS,
    Asked,
    Flows,
    cases_for,
    flows_of,
    rows_of,
    tab_counts,
)
from digital_review.services.patient_list import patient_list_pdf
from portal.access.decision import can, require, visible
from portal.audit.services import Access, log_access
from portal.documents.spreadsheet import workbook_response
from portal.organisation.models import Unit

PAGE_SIZE = 50
FILTERS = ("text", "review_type", "hospital", "state")


@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """The patients of the chosen list, with how complete each is."""
    require(request.user, SEE)
    flows = flows_of(request.user)
    form, asked = _asked(request, flows)
    page = Paginator(cases_for(request.user, asked, flows), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    shown, counts = COLUMNS.shown(request.GET.getlist("column")), tab_counts(request.user, flows)
    context = {
        "form": form,
        "tab": asked.tab,
        "tabs": [(code, TABS[code], count) for code, count in counts.items()],
        "page": page,
        "rows": rows_of(page.object_list, flows),
        "columns": COLUMNS.heads(asked.sort, shown),
        "optional": [(column, column.code in shown) for column in COLUMNS if column.optional],
        "shown": shown,
        "sort": asked.sort,
        "filtered": any(request.GET.get(name) for name in FILTERS),
        "may_start": can(request.user, BUREAU),
    }
    return render(request, "digital_review/overview.html", context)


@require_GET
def excel(request: HttpRequest) -> HttpResponse:
    """The whole list with every column, masked as on the screen. Logged as an export."""
    require(request.user, SEE)
    flows = flows_of(request.user)
    _form, asked = _asked(request, flows)
    rows = rows_of(cases_for(request.user, asked, flows), flows)
    return workbook_response(
        f"{_('patients')}-{timezone.localdate():%Y-%m-%d}.xlsx",
        [column.label for column in COLUMNS],
        ([column.cell(row) for column in COLUMNS] for row in rows),
        of=_("Patients in review"),
        facts=_facts(asked, rows),
    )


@require_GET
def paper(request: HttpRequest) -> HttpResponse:
    """The whole list as a PDF to print, masked as on the screen. Logged as printed."""
    require(request.user, SEE)
    flows = flows_of(request.user)
    _form, asked = _asked(request, flows)
    rows = rows_of(cases_for(request.user, asked, flows), flows)
    pdf = patient_list_pdf(TABS[asked.tab], rows)
    log_access(Access.PRINT, _("Patients in review"), data=_facts(asked, rows))
    name = f"{_('patients')}-{timezone.localdate():%Y-%m-%d}.pdf"
    return HttpResponse(
        pdf,
        content_type="application/pdf",
        headers={
            "Content-Disposition": content_disposition_header(True, name) or "",
            "Cache-Control": "no-store",
        },
    )


def asked_of(request: HttpRequest, flows: Flows) -> Asked:
    """Which patients the address asks for."""
    return _asked(request, flows)[1]


def _asked(request: HttpRequest, flows: Flows) -> tuple[OverviewForm, Asked]:
    cases = visible(request.user, Case.objects.all()).order_by()
    form = OverviewForm(
        request.GET,
        review_types=ReviewType.objects.filter(pk__in=cases.values("review_type")),
        hospitals=Unit.objects.filter(pk__in=cases.values("patient__hospital")).order_by("name"),
        states=flows.choices(),
    )
    tab = request.GET.get("list", "")
    asked = Asked(
        tab=tab if tab in TABS else DEFAULT_TAB,
        sort=COLUMNS.sort_of(request.GET.get("sort", "")),
        **form.chosen(),
    )
    return form, asked


def _facts(asked: Asked, rows: list[Any]) -> dict[str, Any]:
    """What the access log says of an export: which list, and whose files were in it."""
    names = ("tab", "text", "review_type", "hospital", "state")
    told = {name: str(value) for name in names if (value := getattr(asked, name))}
    return {"filter": told, "patients": [row.patient.number for row in rows]}
