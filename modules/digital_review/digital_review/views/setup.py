"""The set-up's own pages: which review types there are, and whether one is whole."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from digital_review.forms.setup import InstallForm
from digital_review.models.reach import SET_UP
from digital_review.selectors.setup import review_types as types_of
from digital_review.selectors.setup import type_setup, what_is_wrong
from digital_review.services.installing import install_review_type
from digital_review.setup_words import told
from digital_review.views.setup_pages import PAGES
from portal.access.decision import can, require
from portal.accounts.reach import MANAGE
from portal.operations.setup.views import last_saved
from portal.records.errors import Refused


@require_safe
def review_types(request: HttpRequest) -> HttpResponse:
    """Every review type of one's set-up, with how much is wrong with it."""
    require(request.user, SET_UP)
    found = [(each, _counted(each)) for each in types_of(request.user)]
    context = {
        "types": found,
        "parts": [(page, page.url()) for page in PAGES[1:]],
        "may_manage_people": can(request.user, MANAGE),
    }
    return render(request, "digital_review/setup_types.html", context)


def _counted(review_type: Any) -> tuple[int, int]:
    """How many things keep cases from being started, and how many are to be done yet."""
    problems = what_is_wrong(review_type)
    wrong = sum(each.blocks for each in problems)
    return wrong, len(problems) - wrong


@require_safe
def review_type(request: HttpRequest, pk: int) -> HttpResponse:
    """One review type with its parts: what is wrong with it stands first, in words."""
    require(request.user, SET_UP)
    found = type_setup(request.user, pk)
    if found is None:
        raise Http404
    context = {
        "found": found,
        "type": found.review_type,
        "wrong": [told(each) for each in found.blocking],
        "still_open": [told(each) for each in found.still_open],
        "saved": last_saved([found.review_type]).get(pk),
        "here": f"?back={request.path}",
        "and_back": f"&back={request.path}",
    }
    return render(request, "digital_review/setup_type.html", context)


@require_http_methods(["GET", "POST"])
def install(request: HttpRequest) -> HttpResponse:
    """Make a review type that ships with the module, or bring it up to date."""
    require(request.user, SET_UP)
    form = InstallForm(request.POST or None, actor=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            made = install_review_type(actor=request.user, **form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, [str(refusal), *map(str, refusal.details)])
        else:
            messages.success(request, _("%(type)s is installed.") % {"type": made})
            return redirect("digital_review:review_type", pk=made.pk)
    status = 422 if form.errors else 200
    return render(request, "digital_review/setup_install.html", {"form": form}, status=status)
