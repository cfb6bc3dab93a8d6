"""List, form and end of set-up records."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.access.acts import ask
from portal.access.decision import require
from portal.access.forms import ReasonForm
from portal.operations.setup.pages import SetupPage
from portal.operations.setup.services import end_record, save_record
from portal.records.errors import Refused, StaleRecord
from portal.records.merging import merge_screen
from portal.records.words import in_words

PAGE_LENGTH = 50


def setup_urls(*pages: SetupPage) -> list[URLPattern]:
    """The addresses of the pages, to be put into the module's ``urlpatterns``."""
    return [
        pattern
        for page in pages
        for pattern in (
            path(f"setup/{page.name}/", listing, {"page": page}, f"setup_{page.name}"),
            path(f"setup/{page.name}/new/", edit, {"page": page}, f"setup_{page.name}_new"),
            path(f"setup/{page.name}/<int:pk>/", edit, {"page": page}, f"setup_{page.name}_edit"),
            *(
                [path(f"setup/{page.name}/<int:pk>/end/", end, {"page": page},
                      f"setup_{page.name}_end")]
                if page.rules.may_end
                else []
            ),
        )
    ]  # fmt: skip


@require_safe
def listing(request: HttpRequest, page: SetupPage) -> HttpResponse:
    """The records in force, and who changed each last. A fixed number of queries."""
    require(request.user, page.rules.privilege)
    text = request.GET.get("text", "").strip()
    shown = Paginator(page.rows(request.user, text), PAGE_LENGTH).get_page(request.GET.get("page"))
    saved = last_saved(list(shown.object_list))
    rows = [
        {
            "record": row,
            "url": page.url_of(row),
            "cells": [(column, in_words(column.of(row))) for column in page.columns],
            "saved": saved.get(row.pk),
        }
        for row in shown.object_list
    ]
    context = {"setup": page, "page": shown, "rows": rows, "text": text, **_words(page)}
    return render(request, "operations/setup_list.html", context)


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, page: SetupPage, pk: int | None = None) -> HttpResponse:
    """Add a record, or change one."""
    require(request.user, page.rules.privilege)
    row = get_object_or_404(page.rows(request.user), pk=pk) if pk is not None else None
    offered = {name: request.GET[name] for name in page.fields if name in request.GET}
    form = page.form(
        request.POST or None,
        instance=row,
        initial=offered if row is None else None,
        actor=request.user,
        fixed=page.rules.fixed,
    )
    back = _back(request, page)
    doubts: list[Any] = []
    if request.method == "POST" and form.is_valid():
        try:
            saved = save_record(
                actor=request.user,
                rules=page.rules,
                values=form.values(),
                reason=form.cleaned_data["reason"],
                pk=pk,
                # a form without a version was not ours: it is older than everything
                expected_version=form.cleaned_data["version"] or 0,
                confirmed=request.POST.getlist("confirmed"),
            )
        except StaleRecord as stale:
            return merge_screen(request, form, stale, back=request.get_full_path())
        except Refused as refusal:
            if refusal.code == "unconfirmed":
                doubts = refusal.details
            else:
                form.add_error(None, [str(refusal), *map(str, refusal.details)])
        except PermissionDenied:
            form.add_error(None, _("That lies outside of what you set up."))
        else:
            text = _("Saved: %(record)s") if row else _("Added: %(record)s")
            messages.success(request, text % {"record": saved})
            return redirect(_one_more(request, page) if "again" in request.POST else back)
    current = get_object_or_404(page.rows(request.user), pk=pk) if row else None
    context = {
        "setup": page,
        "form": form,
        "record": current,  # not the form's: that one has what was typed
        "doubts": doubts,
        "uses": page.rules.uses_of(current) if current else [],
        "saved": last_saved([current]).get(current.pk) if current else None,
        "end_url": page.url("end", pk) if current and page.rules.may_end else "",
        "back": back,
        **_words(page),
    }
    status = 422 if form.errors or doubts else 200
    return render(request, "operations/setup_form.html", context, status=status)


@require_http_methods(["GET", "POST"])
def end(request: HttpRequest, page: SetupPage, pk: int) -> HttpResponse:
    """Ask for the reason, then end it."""
    require(request.user, page.rules.privilege)
    row = get_object_or_404(page.rows(request.user), pk=pk)
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda **given: end_record(actor=request.user, rules=page.rules, pk=pk, **given),
        title=_("End %(record)s") % {"record": row},
        words=str(page.end_words),
        back=page.url(),
        danger=True,
    )


def last_saved(rows: list[Any]) -> dict[Any, Any]:
    """The last history row of each record, by key: who saved it, and when. One query."""
    if not rows:
        return {}
    latest = (
        type(rows[0])
        .history.filter(id__in=[row.pk for row in rows])
        .select_related("history_user")
        .order_by("id", "-history_id")
        .distinct("id")
    )
    return {each.id: each for each in latest}


def _one_more(request: HttpRequest, page: SetupPage) -> str:
    """The form again with what was typed: the next one is often almost the same."""
    typed = {name: request.POST[name] for name in page.fields if request.POST.get(name)}
    if "back" in request.GET:
        typed["back"] = request.GET["back"]
    return f"{page.url('new')}?{urlencode(typed)}"


def _words(page: SetupPage) -> dict[str, Any]:
    model = page.rules.model
    return {
        "list_url": page.url(),
        "new_url": page.url("new"),
        "top_url": reverse(page.top),
        "more_acts": [(words, reverse(name), icon) for words, name, icon in page.more_acts],
        "removed_of": model._meta.label_lower,  # noqa: SLF001
    }


def _back(request: HttpRequest, page: SetupPage) -> str:
    """Where it leads afterwards: the page of ours from which it was opened, or the list."""
    asked = request.GET.get("back", "")
    inside = url_has_allowed_host_and_scheme(asked, allowed_hosts=None)
    return asked if asked.startswith("/") and inside else page.url()
