"""Who works with the reviews: listed, added, deactivated by the review manager."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from digital_review.forms.people import NewPersonForm
from digital_review.models.reach import MANAGE as MANAGE_REVIEWS
from digital_review.selectors.people import people_of
from digital_review.services.people import add_person, deactivate_person
from portal.access.acts import ask
from portal.access.decision import can, require
from portal.access.forms import ReasonForm
from portal.accounts.reach import MANAGE
from portal.records.errors import Refused

PAGE_LENGTH = 50
_FIELD_OF = {"taken": "email", "mail": "email", "past": "expires_on", "closed_unit": "unit"}


def _require(request: HttpRequest) -> None:
    require(request.user, MANAGE_REVIEWS)
    require(request.user, MANAGE)


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """Everybody with a role in the reviews that one manages."""
    _require(request)
    text = request.GET.get("text", "").strip()
    page = Paginator(people_of(request.user, text), PAGE_LENGTH)
    context = {
        "page": page.get_page(request.GET.get("page")),
        "text": text,
        "today": timezone.localdate(),
        "by_request": settings.PORTAL_ACCOUNTS_BY_REQUEST,
        "may_grant": can(request.user, "access.grant_role"),
    }
    return render(request, "digital_review/people.html", context)


@require_http_methods(["GET", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Somebody new: account, role and mail in one act (UC13)."""
    _require(request)
    if settings.PORTAL_ACCOUNTS_BY_REQUEST:
        return redirect("accounts:request_new")
    form = NewPersonForm(request.POST or None, actor=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            made = add_person(actor=request.user, **form.cleaned_data)
        except Refused as refusal:
            field = _FIELD_OF.get(refusal.code or "")
            form.add_error(field if field in form.fields else None, str(refusal))
        except PermissionDenied:
            form.add_error("unit", _("You do not manage people there."))
        else:
            text = _("%(name)s has an account; a link was mailed.") % {"name": made.name}
            messages.success(request, text)
            return redirect("digital_review:people")
    status = 422 if form.errors else 200
    return render(request, "digital_review/people_form.html", {"form": form}, status=status)


@require_http_methods(["GET", "POST"])
def deactivate(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask first, then close the account; going back keeps it (UC14, UC15)."""
    _require(request)
    person: Any = get_object_or_404(people_of(request.user), pk=pk)
    words = (
        _("They are logged out at once and cannot log in. What they wrote and signed stays.")
        if person.is_managed
        else _("Their account is not yours: their roles in your reviews end. Nothing is deleted.")
    )
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda **given: deactivate_person(actor=request.user, user_id=pk, **given),
        title=_("Deactivate %(name)s") % {"name": person.name},
        words=words,
        back=reverse("digital_review:people"),
        danger=True,
    )
