"""An act that asks first: a dialog where there is script, a page where there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from portal.records.errors import Refused


def ask(
    request: HttpRequest,
    form: forms.Form,
    act: Callable[..., Any],
    *,
    title: str,
    words: str,
    back: str,
    danger: bool = False,
    lines: Sequence[str] = (),
) -> HttpResponse:
    """Show ``form`` under what will happen to what; when it is sent, ``act(**fields)``.

    ``lines`` say it point by point, where ``words`` alone would be long.

    ``back`` is where it came from and goes to. What the act refuses stands on the form.
    """
    form.auto_id = "act_%s"  # the page under the dialog may have fields of the same names
    if request.method == "POST" and form.is_valid():
        try:
            act(**form.cleaned_data)
        except Refused as error:
            form.add_error(None, [str(error), *map(str, error.details)])
        else:
            messages.success(request, _("Done: %(title)s") % {"title": title})
            return redirect(back)
    template = "access/act_dialog.html" if request.htmx else "access/act.html"  # type: ignore[attr-defined]
    context = {"form": form, "title": title, "words": words, "back": back, "danger": danger}
    context["lines"] = lines
    return render(request, template, context, status=422 if form.errors else 200)
