"""Completing a form, opening it again, throwing away what one typed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.access.acts import ask
from portal.access.forms import ReasonForm
from portal.forms.models import Sheet
from portal.forms.presentation import Field, Page, Widget
from portal.forms.services.sheets import (
    NotComplete,
    complete_sheet,
    discard_typed,
    reopen_sheet,
)
from portal.forms.views.sheet_input import number_of
from portal.forms.views.sheet_page import SheetPage
from portal.records.errors import Refused


@require_http_methods(["GET", "POST"])
def complete(request: HttpRequest, page: SheetPage, pk: int) -> HttpResponse:
    """What is missing, with links to it; what is doubtful, to be confirmed one by one; then done.

    A dialog where htmx asks, a page otherwise.
    """
    sheet = page.get(request.user, pk)
    page.rules.require_fill(request.user, sheet)
    refusal: Refused | None = None
    if request.method == "POST":
        try:
            complete_sheet(
                page.rules,
                actor=request.user,
                sheet_id=pk,
                version=number_of(request, "version"),
                confirmed=request.POST.getlist("confirmed"),
            )
        except NotComplete as error:
            refusal = error
        except Refused as error:
            if error.code == "gone":
                raise
            refusal = error
        else:
            messages.success(request, _("The form is complete."))
            return redirect(page.url(sheet))
        sheet = page.get(request.user, pk)
    elif sheet.status != Sheet.Status.DRAFT:
        return redirect(page.url(sheet))
    shown = page.read(sheet)
    soft = [(each, said) for each in shown.fields() if each.shown for said in each.said if said.key]
    context = {
        **page.common(sheet),
        "missing": missing_before_signing(shown),
        "hard": [each for each in shown.fields() if each.shown and each.hard]
        + [part for part in shown.parts() if part.shown and any(each.hard for each in part.said)],
        "soft": soft,
        "confirmed": request.POST.getlist("confirmed"),
        "refusal": refusal,
        "key": page.key(request.user, sheet) if "saved" in request.GET else "",
    }
    name = "forms/_sheet_complete.html" if request.htmx else "forms/sheet_complete.html"  # type: ignore[attr-defined]
    return render(request, name, context, status=422 if refusal else 200)


def missing_before_signing(shown: Page) -> list[Field]:
    """What is required and has no answer; a signature comes when all else is there."""
    return [each for each in shown.fields() if each.missing and each.widget is not Widget.SIGNATURE]


@require_http_methods(["GET", "POST"])
def reopen(request: HttpRequest, page: SheetPage, pk: int) -> HttpResponse:
    """Ask why, then make it a draft again."""
    sheet = page.get(request.user, pk)
    page.rules.require_fill(request.user, sheet)
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda **given: reopen_sheet(page.rules, actor=request.user, sheet_id=pk, **given),
        title=_("Open %(form)s again") % {"form": sheet},
        words=_("It is a draft again and can be changed. It has to be completed anew afterwards."),
        back=page.url(sheet),
    )


@require_http_methods(["GET", "POST"])
def discard(request: HttpRequest, page: SheetPage, pk: int) -> HttpResponse:
    """Ask, then throw away what the person typed and did not save."""
    sheet = page.get(request.user, pk)
    act: Any = lambda **_given: discard_typed(page.rules, actor=request.user, sheet_id=pk)  # noqa: E731
    return ask(
        request,
        forms.Form(request.POST or None),
        act,
        title=_("Throw away what I typed"),
        words=_("What you typed into %(form)s and did not save is gone then. What was saved stays.")
        % {"form": sheet},
        back=page.url(sheet) + "?saved",
        danger=True,
    )
