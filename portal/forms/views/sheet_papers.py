"""A form on paper and in files: printed, as PDF, empty to be written on, as a workbook (DR-094)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.access.masking import may_see_personal, unmasked
from portal.audit.services import Access, log_access
from portal.documents import paper
from portal.documents.rendering import render_pdf
from portal.documents.services import issue, response
from portal.documents.spreadsheet import workbook_response
from portal.forms.models import AnswerFile, Sheet
from portal.forms.presentation import Page, blank, plain, present
from portal.forms.rules.answers import Answers, Row
from portal.forms.rules.definition import Form
from portal.forms.selectors import read_sheet
from portal.forms.services.files import file_of
from portal.forms.views.sheet_page import SheetPage
from portal.forms.words import moment_in_words
from portal.signing.services import printed as printed_signature
from portal.signing.services import signatures_of

TEMPLATE = Path(__file__).parents[1] / "documents" / "sheet.typ"
KIND = "form"
"""As issued documents of sheets are called."""


@require_safe
def printed(request: HttpRequest, page: SheetPage, pk: int) -> HttpResponse:
    """The form on one page, to be printed by the browser."""
    sheet = page.get(request.user, pk)
    log_access(Access.PRINT, sheet)
    context = {
        "sheet": sheet,
        "form": page.read(sheet),
        "facts": page.facts(sheet),
        "back": page.url(sheet),
        "draft": sheet.status == Sheet.Status.DRAFT,
        "signatures": [printed_signature(each) for each in signatures_of(sheet)],
        "now": timezone.now(),
    }
    return render(request, "forms/sheet_print.html", context)


@require_safe
def pdf(request: HttpRequest, page: SheetPage, pk: int) -> HttpResponse:
    """The issued document of a locked form; of any other a print, marked as what it is.

    Who may not see the personal answers of a locked form gets a print with masks: the document in
    force has every answer.
    """
    sheet = page.get(request.user, pk)
    if sheet.status == Sheet.Status.LOCKED and may_see_personal(sheet):
        with paper.document_language() as language, unmasked():
            outside = page.rules.outside(sheet)
            data = paper_data(page, sheet, present(read_sheet(sheet, outside=outside), language))
            document = issue(
                kind=KIND,
                obj=sheet,
                title=data["form"]["title"],
                number=page.number_of(sheet),
                data=data,
                template=TEMPLATE,
            )
        return response(document, user=request.user)
    marks = {
        Sheet.Status.DRAFT: _("DRAFT"),
        Sheet.Status.COMPLETE: _("NOT SIGNED"),
        Sheet.Status.LOCKED: _("COPY WITHOUT PERSONAL DATA"),
    }
    log_access(Access.EXPORT, sheet, data={"format": "pdf"})
    return _printed_pdf(page, sheet, page.read(sheet), marks[Sheet.Status(sheet.status)])


@require_safe
def empty(request: HttpRequest, page: SheetPage, pk: int) -> HttpResponse:
    """The form to be filled in with a pen: whose it is stands on it, every answer is left open."""
    sheet = page.get(request.user, pk)
    log_access(Access.PRINT, sheet, data={"format": "pdf", "blank": True})
    read = read_sheet(sheet, outside=page.rules.outside(sheet))
    known = looked_up(read.form, read.answers)
    form = blank(read.form, get_language() or "en", known, masked=read.masked)
    return _printed_pdf(page, sheet, form, "", empty_form=True)


def looked_up(form: Form, answers: Answers) -> Answers:
    """The answers that nobody types: they come from elsewhere."""

    def of(row: Row) -> Row:
        return {code: value for code, value in row.items() if not form.spots[code].item.editable}

    rows = {group: tuple(of(row) for row in listed) for group, listed in answers.rows.items()}
    return Answers(of(answers.values), rows)


def paper_data(
    page: SheetPage, sheet: Any, form: Page, *, empty_form: bool = False
) -> dict[str, Any]:
    """What the template needs, in the active language."""
    done = sheet.completed_at
    by = sheet.completed_by
    return {
        "form": plain(form),
        "facts": [[str(label), str(value)] for label, value in page.facts(sheet)],
        "empty": empty_form,
        "version": sheet.form_version.number,
        "completed": moment_in_words(done) if done and not empty_form else "",
        "completed_by": str(by) if by and not empty_form else "",
        "signatures": []
        if empty_form
        else [printed_signature(each) for each in signatures_of(sheet)],
        "labels": {
            "form_version": _("Version of the form"),
            "completed": _("Completed"),
            "completed_by": _("Completed by"),
            "row": _("Row"),
            "no_rows": _("No rows"),
            "signatures": _("Signatures"),
            "no_answer": _("no answer"),
            "instead": _("or, instead of an answer:"),
            "file": _("enclose it, and write its name here"),
            "name_date_signature": _("Name, date, signature"),
            "computed": _("is worked out by the system"),
        },
    }


def _printed_pdf(
    page: SheetPage, sheet: Any, form: Page, mark: str, *, empty_form: bool = False
) -> HttpResponse:
    """A PDF that is no issued document: in the reader's language, kept nowhere."""
    number = page.number_of(sheet)
    data = paper_data(page, sheet, form, empty_form=empty_form)
    labels = {**paper.house_labels(), **data["labels"]}
    data |= {"document": {"mark": mark, "lang": get_language() or "en"}, "labels": labels}
    whole = paper.complete(
        data, title=form.title, number=number, revision=sheet.version, issued_at=timezone.now()
    )
    return HttpResponse(
        render_pdf(TEMPLATE, whole),
        content_type="application/pdf",
        headers={
            "Content-Disposition": content_disposition_header(True, f"{number}.pdf") or "",
            "Cache-Control": "no-store",
        },
    )


@require_safe
def excel(request: HttpRequest, page: SheetPage, pk: int) -> HttpResponse:
    """The answers as a workbook, one line each."""
    sheet = page.get(request.user, pk)
    form = page.read(sheet)
    head = [_("Section"), _("Code"), _("Question"), _("Row"), _("Answer"), _("Unit")]
    facts = ((str(label), "", "", "", str(value), "") for label, value in page.facts(sheet))
    return workbook_response(
        f"{page.number_of(sheet)}.xlsx", head, [*facts, *_lines(form)], of=sheet
    )


def _lines(form: Page) -> Iterator[list[Any]]:
    for section in form.shown:
        for part in section.parts:
            for row in part.rows:
                for each in row.fields:
                    if each.shown:
                        place = row.place if part.repeats else None
                        yield [section.title, each.code, each.label, place, each.worded, each.unit]


@require_safe
def download(request: HttpRequest, page: SheetPage, pk: int, key: int) -> HttpResponse:
    """A file that was given as an answer, as an attachment and nothing else."""
    sheet = page.get(request.user, pk)
    try:
        file = file_of(page.rules, sheet, key)
    except AnswerFile.DoesNotExist:
        raise Http404 from None
    return HttpResponse(
        bytes(file.content),
        content_type=file.media_type,
        headers={
            "Content-Disposition": content_disposition_header(True, file.name) or "",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
            "Content-Security-Policy": "sandbox",
        },
    )
