"""Letters about the outcome: preview, issue, read (DR-076, DR-077)."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from digital_review.models import Case, Letter
from digital_review.models.reach import SEE
from digital_review.services.letters import issue_letter, may_write_letter, preview_letter
from digital_review.urls_names import case_tab_url
from digital_review.views.case_contents import with_documents
from portal.access.decision import can, visible
from portal.audit.services import Access, log_access
from portal.documents.services import response
from portal.records.errors import Refused


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    """The letter as it would be, to look at; then it is issued."""
    case = _writable(request, pk, kind)
    if request.method == "POST":
        letter = issue_letter(actor=request.user, case_id=case.pk, kind=kind)
        messages.success(request, _("The letter is issued, and the hospital's doctors are told."))
        return redirect("digital_review:letter", letter.pk)
    pages, refusal = 0, ""
    try:
        pages = len(preview_letter(actor=request.user, case_id=case.pk, kind=kind))
    except Refused as error:
        refusal = str(error)
    context = {
        "case": case,
        "kind": Letter.Kind(kind),
        "pages": range(1, pages + 1),
        "refusal": refusal,
        "back": case_tab_url(case.pk, "letters"),
    }
    status = 422 if refusal else 200
    return render(request, "digital_review/letter_new.html", context, status=status)


@require_GET
def preview(request: HttpRequest, pk: int, kind: str, page: int) -> HttpResponse:
    """One page of the preview, as a picture."""
    case = _writable(request, pk, kind)
    pages = preview_letter(actor=request.user, case_id=case.pk, kind=kind)
    if not 1 <= page <= len(pages):
        raise Http404
    return HttpResponse(
        pages[page - 1], content_type="image/png", headers={"Cache-Control": "no-store"}
    )


@require_GET
def letter(request: HttpRequest, pk: int) -> HttpResponse:
    """The letter's page: whom it is about, whether it is in force, its paper."""
    row = with_documents([_letter(request, pk)])[0]
    log_access(Access.OPEN, row.letter, patient=row.letter.case.patient.number)
    sees_case = can(request.user, SEE, row.letter.case)
    context = {
        "row": row,
        "letter": row.letter,
        "case": row.letter.case,
        "back": case_tab_url(row.letter.case_id, "letters") if sees_case else "",
    }
    return render(request, "digital_review/letter.html", context)


@require_GET
def letter_pdf(request: HttpRequest, pk: int) -> HttpResponse:
    """The newest paper, or the one asked for by number."""
    row = with_documents([_letter(request, pk)])[0]
    number = request.GET.get("number")
    documents = [each for each in row.documents if number in (None, each.number)]
    if not documents:
        raise Http404
    return response(documents[0], user=request.user, patient=row.letter.case.patient.number)


def _letter(request: HttpRequest, pk: int) -> Letter:
    letters = visible(request.user, Letter.objects.all())
    related = letters.select_related(
        "case__patient__hospital", "case__review_type__unit", "outcome", "written_by"
    )
    found: Letter = get_object_or_404(related, pk=pk)
    return found


def _writable(request: HttpRequest, pk: int, kind: str) -> Case:
    cases = visible(request.user, Case.objects.all())
    related = cases.select_related("patient__hospital", "review_type__unit", "outcome")
    case: Case = get_object_or_404(related, pk=pk)
    if kind not in Letter.Kind.values or not may_write_letter(request.user, case):
        raise Http404
    return case
