"""The pages of answered forms: a module declares a `SheetPage` and mounts `sheet_urls`."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.audit.services import Access, log_access
from portal.forms.fields import Typed
from portal.forms.models import Sheet, UnsavedInput
from portal.forms.presentation import Page, changes
from portal.forms.selectors import usable
from portal.forms.services.files import add_file, typed_file
from portal.forms.services.sheets import (
    BadAnswers,
    Saved,
    StaleAnswers,
    keep_typed,
    save_sheet,
    unsaved_of,
)
from portal.forms.views import sheet_acts, sheet_papers
from portal.forms.views.sheet_input import (
    choices_of,
    number_of,
    rows_typed,
    typed_of,
    uploads_of,
)
from portal.forms.views.sheet_merging import merge_answers
from portal.forms.views.sheet_page import Act, Filling, SheetPage
from portal.records.errors import Refused
from portal.signing.services import signatures_of, verify_many

__all__ = ["Act", "SheetPage", "sheet_urls"]


def sheet_urls(page: SheetPage, prefix: str = "forms/") -> list[URLPattern]:
    """The addresses of the pages, to be put into the module's ``urlpatterns``."""
    views: dict[str, tuple[str, Any]] = {
        "": ("", read),
        "fill": ("fill/", fill),
        "check": ("check/", check),
        "notice": ("notice/", notice),
        "upload": ("upload/", upload),
        "discard": ("discard/", sheet_acts.discard),
        "complete": ("complete/", sheet_acts.complete),
        "reopen": ("reopen/", sheet_acts.reopen),
        "print": ("print/", sheet_papers.printed),
        "pdf": ("pdf/", sheet_papers.pdf),
        "blank": ("blank/", sheet_papers.empty),
        "excel": ("excel/", sheet_papers.excel),
        "file": ("files/<int:key>/", sheet_papers.download),
    }
    return [
        path(f"{prefix}<int:pk>/{end}", view, {"page": page}, f"{page.name}{act and f'_{act}'}")
        for act, (end, view) in views.items()
    ]


@require_safe
def read(request: HttpRequest, page: SheetPage, pk: int) -> HttpResponse:
    """The form as it was saved; it is fetched anew when somebody saves."""
    sheet = page.get(request.user, pk)
    live = bool(request.htmx)  # type: ignore[attr-defined]
    if not live:
        log_access(Access.OPEN, sheet)
    may_fill = page.may_fill(request.user, sheet)
    context = {
        **page.common(sheet),
        "form": page.read(sheet),
        "mine": unsaved_of(page.rules, request.user, sheet) if may_fill else None,
        "may_fill": may_fill,
        "acts": page.acts(request, sheet),
        "signatures": verify_many(signatures_of(sheet)),
        "key": page.key(request.user, sheet),
        "saved": "saved" in request.GET,
    }
    name = "forms/_sheet_read.html" if live else "forms/sheet.html"
    return render(request, name, context)


@require_http_methods(["GET", "POST"])
def fill(request: HttpRequest, page: SheetPage, pk: int) -> HttpResponse:
    """The form to be filled in; POST saves it, or adds and takes away a row without a script."""
    sheet = page.get(request.user, pk)
    page.rules.require_fill(request.user, sheet)
    if sheet.status != Sheet.Status.DRAFT:
        messages.info(request, _("This form is complete: it can be read here."))
        return redirect(page.url(sheet))
    if request.method == "POST":
        return _save(request, page, sheet)
    log_access(Access.OPEN, sheet)
    return _fill_page(request, page, sheet, page.filling(request.user, sheet))


def _fill_page(
    request: HttpRequest,
    page: SheetPage,
    sheet: Any,
    filling: Filling,
    *,
    refusal: Refused | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        **page.common(sheet),
        "form": filling.page,
        "mine": filling.unsaved,
        "opened_version": filling.opened_version(sheet),
        "sequence": filling.sequence,
        "key": page.key(request.user, sheet),
        "refusal": refusal,
        "wrong": [each for each in filling.page.fields() if each.shown and each.hard],
    }
    return render(request, "forms/sheet_fill.html", context, status=status)


# --- saving ---------------------------------------------------------------------------------------


def _save(request: HttpRequest, page: SheetPage, sheet: Any) -> HttpResponse:
    form = usable(sheet.form_version).form
    filling = page.filling(request.user, sheet)
    typed = typed_of(form, request.POST, filling.page, filling.unsaved)
    opened = number_of(request, "opened_version")
    try:
        typed |= _uploaded(request, page, sheet)
        if row := rows_typed(request.POST, filling.page):
            _keep(request, page, sheet, {**typed, **row.typed}, opened, _later(filling.unsaved))
            return redirect(f"{page.url(sheet, 'fill')}#{row.anchor}")
        saved = save_sheet(
            page.rules,
            actor=request.user,
            sheet_id=sheet.pk,
            typed=typed,
            opened_version=opened,
            choices=choices_of(request, sheet),
        )
    except StaleAnswers as stale:
        return merge_answers(request, page, stale, opened, _texts(filling.unsaved) | typed)
    except BadAnswers:
        _keep(request, page, sheet, typed, opened, _later(filling.unsaved))
        return _fill_page(request, page, sheet, page.filling(request.user, sheet), status=422)
    except Refused as refusal:
        if refusal.code in ("gone", "closed"):
            raise
        standing = _with(page, sheet, request.user, filling.unsaved, typed, opened)
        return _fill_page(request, page, sheet, standing, refusal=refusal, status=422)
    _say_saved(request, page, saved)
    if "complete" in request.POST:
        return redirect(page.url(sheet, "complete") + "?saved")
    return redirect(page.url(sheet) + "?saved")


def _texts(unsaved: UnsavedInput | None) -> dict[str, str]:
    return dict(unsaved.typed) if unsaved is not None else {}


def _later(unsaved: UnsavedInput | None) -> int:
    """A sequence after every one that a page of the person gave: theirs are milliseconds too."""
    return max(unsaved.sequence + 1 if unsaved is not None else 0, time.time_ns() // 1_000_000)


def _keep(
    request: HttpRequest, page: SheetPage, sheet: Any, typed: Typed, opened: int, sequence: int
) -> Any:
    return keep_typed(
        page.rules,
        actor=request.user,
        sheet_id=sheet.pk,
        typed=typed,
        opened_version=opened,
        sequence=sequence,
    )


def _with(
    page: SheetPage,
    sheet: Any,
    person: Any,
    unsaved: UnsavedInput | None,
    typed: Typed,
    opened: int,
) -> Filling:
    """The page again with what was sent, which a refusal has not kept."""
    standing = UnsavedInput(
        person=person,
        sheet_type=page.rules.name,
        sheet_id=sheet.pk,
        opened_version=opened,
        typed={**_texts(unsaved), **typed},
        sequence=unsaved.sequence if unsaved is not None else 0,
    )
    return Filling(standing, page.shown(sheet, standing))


def _uploaded(request: HttpRequest, page: SheetPage, sheet: Any) -> dict[str, str]:
    """Files that were chosen and not sent before, as without a script."""
    return {
        name: typed_file(
            add_file(
                page.rules,
                actor=request.user,
                sheet_id=sheet.pk,
                name=name,
                called=sent.name or "",
                content=sent.read(),
            )
        )
        for name, sent in uploads_of(request)
    }


def _say_saved(request: HttpRequest, page: SheetPage, saved: Saved) -> None:
    if not saved.changed:
        messages.info(request, _("There was nothing to save: nothing differs."))
        return
    count = len(saved.changed)
    text = ngettext("Saved: %(count)d answer.", "Saved: %(count)d answers.", count)
    text %= {"count": count}
    if saved.merged:
        shown = page.read(saved.sheet)
        labels = [shown.label_of(name) for name in saved.merged]
        text += " " + _("Merged with what somebody else saved meanwhile: %(names)s.") % {
            "names": ", ".join(labels)
        }
    messages.success(request, text)


# --- as a field is left ---------------------------------------------------------------------------


@require_POST
def check(request: HttpRequest, page: SheetPage, pk: int) -> HttpResponse:
    """Keep what was typed, and answer what it changes on the page, and nothing else.

    ``sequence`` numbers the page's changes; the answer's ``X-Sheet-Sequence`` is the last one kept:
    where it is later than that sent, another page of the person was faster, and this one sends
    again with a later number. ``whole`` asks for everything, after an answer was lost.
    """
    sheet = page.get(request.user, pk)
    typed = typed_of(usable(sheet.form_version).form, request.POST)
    unsaved = unsaved_of(page.rules, request.user, sheet)
    whole = "whole" in request.POST
    before: Page | None = None if whole else page.shown(sheet, unsaved)
    opened, sequence = number_of(request, "opened_version"), number_of(request, "sequence")
    try:
        kept = _keep(request, page, sheet, typed, opened, sequence)
    except (Refused, PermissionDenied) as error:
        return _not_kept(error)
    after = page.shown_of(kept)
    context = {
        **page.common(sheet),
        "form": after,
        "mine": kept.unsaved,
        "changes": changes(before, after),
        "files": [each for each in map(after.field, typed) if each and each.widget == "file"],
    }
    response = render(request, "forms/_sheet_check.html", context)
    response["X-Sheet-Sequence"] = str(kept.unsaved.sequence)
    return response


@require_POST
def upload(request: HttpRequest, page: SheetPage, pk: int) -> HttpResponse:
    """Take in the file of one field, and answer what is typed there then."""
    sheet = page.get(request.user, pk)
    try:
        typed = _uploaded(request, page, sheet)
    except (Refused, PermissionDenied) as error:
        return _not_kept(error)
    return HttpResponse(", ".join(typed.values()), content_type="text/plain; charset=utf-8")


def _not_kept(error: Exception) -> HttpResponse:
    """Why it is not kept, in words for the page's line of state."""
    if isinstance(error, PermissionDenied):
        text, status = _("You may not fill in this form (any more)."), 403
    else:
        text, status = str(error), 422
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")


@require_safe
def notice(request: HttpRequest, page: SheetPage, pk: int) -> HttpResponse:
    """What somebody else did with the sheet since the page was opened."""
    sheet = page.get(request.user, pk)
    opened = request.GET.get("opened", "")
    newer = opened.isdecimal() and len(opened) < 10 and int(opened) < sheet.version
    context = {
        **page.common(sheet),
        "opened_version": opened,
        "by": sheet.history.select_related("history_user").latest() if newer else None,
    }
    return render(request, "forms/_sheet_notice.html", context)
