"""The worksheet of the yearly access review: confirm or revoke line by line, sign off (PT-017)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access import reviewing, services
from portal.access.acts import ask
from portal.access.decision import require
from portal.access.forms import ReasonForm
from portal.access.models import AccessReview, ReviewLine, RoleGrant
from portal.access.reviewing import REVIEW
from portal.access.rules import REMIND_BEFORE
from portal.audit.services import Access, log_access
from portal.documents.spreadsheet import workbook_response
from portal.operations import access_review
from portal.records.errors import Refused
from portal.records.fields import DateInput
from portal.signing.services import Signer, WrongPin, signatures_of, verify_many
from portal.signing.web import asks_for_passkey, passkey_options, signer_of

PAGE_LENGTH = 100
_Decision = ReviewLine.Decision


class BeginForm(forms.Form):
    due_on = forms.DateField(label=_("To be signed off by"), widget=DateInput)


class SignOffForm(forms.Form):
    remark = forms.CharField(
        label=_("Remark"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


@require_safe
def reviews(request: HttpRequest) -> HttpResponse:
    """When the person's units are due, and the reviews there were."""
    require(request.user, REVIEW)
    found = reviewing.reviews(request.user)
    units = {unit.path: unit.pk for unit in reviewing.units_to_review(request.user)}
    context = {
        "due": [(each, units.get(each.unit_path)) for each in reviewing.due_for(request.user)],
        "page": Paginator(found, 50).get_page(request.GET.get("page")),
        "today": timezone.localdate(),
    }
    return render(request, "operations/access_reviews.html", context)


def begin(request: HttpRequest, pk: int) -> HttpResponse:
    """Begin the review of a unit."""
    require(request.user, REVIEW)
    unit = get_object_or_404(reviewing.units_to_review(request.user), pk=pk)
    due_on = timezone.localdate() + REMIND_BEFORE
    return ask(
        request,
        BeginForm(request.POST or None, initial={"due_on": due_on}),
        lambda **values: services.open_review(actor=request.user, unit=unit, **values),
        title=_("Begin the access review: %(unit)s") % {"unit": unit},
        words=_("Everything that is held there and below is listed as it is now."),
        back=reverse("operations:access_reviews"),
    )


@sensitive_post_parameters("pin")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def review(request: HttpRequest, pk: int) -> HttpResponse:
    """The worksheet; POST signs the review off."""
    found = _find(request, pk)
    if request.method != "POST":
        log_access(Access.OPEN, found)
        return _worksheet(request, found, SignOffForm())
    form = SignOffForm(request.POST)
    if not form.is_valid():
        return _worksheet(request, found, form)

    def act(signer: Signer) -> AccessReview:
        return access_review.sign_review(
            actor=request.user, review_id=found.pk, signer=signer, **form.cleaned_data
        )

    if asks_for_passkey(request):
        return passkey_options(request, act)
    try:
        act(signer_of(request))
    except WrongPin as error:
        return _worksheet(request, found, form, pin_error=str(error))
    except Refused as error:
        form.add_error(None, str(error))
        return _worksheet(request, found, form)
    messages.success(request, _("The review is signed off."))
    return redirect("operations:access_review", found.pk)


@require_POST
def confirm(request: HttpRequest, pk: int) -> HttpResponse:
    """Confirm the ticked lines, or all that stood on the page."""
    found = _find(request, pk)
    name = "shown" if "all" in request.POST else "line"
    chosen = [int(key) for key in request.POST.getlist(name) if key.isdecimal() and len(key) < 19]
    if not chosen:
        raise Refused(_("Tick the lines to confirm."), code="none_chosen")
    count = services.confirm_lines(actor=request.user, review_id=found.pk, line_ids=chosen)
    messages.success(request, _("Confirmed: %(count)d lines") % {"count": count})
    back = reverse("operations:access_review", args=[found.pk])
    query = request.POST.get("back", "")
    return redirect(f"{back}?{query}" if query else back)


def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Take away what a line says."""
    require(request.user, REVIEW)
    line = get_object_or_404(
        ReviewLine.objects.filter(review__in=reviewing.reviews(request.user)).select_related(
            "grant"
        ),
        pk=pk,
    )
    words = _("It is taken away now. What was done with it stays in the audit trail.")
    if line.grant and line.grant.source == RoleGrant.Source.DIRECTORY:
        words = _(
            "It is taken away now. The directory gave this role, and gives it again at the next"
            " log-in: have the person taken out of the directory group too."
        )
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda **values: services.revoke_line(actor=request.user, line_id=line.pk, **values),
        title=_("Revoke: %(line)s") % {"line": line},
        words=words,
        back=reverse("operations:access_review", args=[line.review_id]),
        danger=True,
    )


@require_safe
def export(request: HttpRequest, pk: int) -> HttpResponse:
    """The whole worksheet as Excel."""
    found = _find(request, pk)
    lines = list(reviewing.lines(found))
    name = f"access-review-{found.unit.code}-{timezone.localdate(found.created_at):%Y-%m-%d}.xlsx"
    return workbook_response(
        name,
        access_review.sheet_head(),
        access_review.sheet_rows(lines),
        of=found,
        facts={"lines": len(lines)},
    )


def _find(request: HttpRequest, pk: int) -> AccessReview:
    require(request.user, REVIEW)
    return get_object_or_404(reviewing.reviews(request.user), pk=pk)


def _worksheet(
    request: HttpRequest, found: AccessReview, form: SignOffForm, pin_error: str = ""
) -> HttpResponse:
    show = request.GET.get("show", "" if found.closed_at else "open")
    text = request.GET.get("text", "").strip()
    page = Paginator(_narrowed(found, show, text), PAGE_LENGTH).get_page(request.GET.get("page"))
    page.object_list = list(page.object_list)
    still = _still_held(found, page.object_list)
    left = 0 if found.closed_at else reviewing.undecided(found).count()
    context: dict[str, Any] = {
        "review": found,
        "page": page,
        "rows": [
            (line, line.pk in still and not found.closed_at, _is_own(request.user, line))
            for line in page
        ],
        "show": show,
        "text": text,
        "shows": [
            ("open", _("To decide")),
            ("", _("All")),
            *((choice.value, choice.label) for choice in _Decision if choice.value),
        ],
        "left": left,
        "total": ReviewLine.objects.filter(review=found).count(),
        "overdue": found.closed_at is None and found.due_on < timezone.localdate(),
        "form": form,
        "pin_error": pin_error,
        "meaning": access_review.meaning(),
        "verdicts": _verdicts(found),
        "back": request.GET.urlencode(),
    }
    status = 422 if form.errors or pin_error else 200
    return render(request, "operations/access_review.html", context, status=status)


def _narrowed(found: AccessReview, show: str, text: str) -> QuerySet[ReviewLine]:
    lines = reviewing.lines(found)
    if show == "open":
        lines = lines.filter(reviewing.still_held(timezone.localdate()), decision=_Decision.OPEN)
    elif show in _Decision.values and show:
        lines = lines.filter(decision=show)
    if text:
        lines = lines.filter(
            Q(holder__icontains=text)
            | Q(held__icontains=text)
            | Q(place__icontains=text)
            | Q(person__username__iexact=text)
        )
    return lines


def _still_held(found: AccessReview, lines: list[ReviewLine]) -> set[int]:
    held = reviewing.still_held(timezone.localdate())
    here = ReviewLine.objects.filter(held, review=found, pk__in=[line.pk for line in lines])
    return set(here.values_list("pk", flat=True))


def _is_own(user: Any, line: ReviewLine) -> bool:
    """Somebody else decides about it; what one holds through a group the service refuses too."""
    return line.person_id == user.pk


def _verdicts(found: AccessReview) -> list[Any]:
    if found.closed_at is None:
        return []
    return verify_many(signatures_of(found).filter(signable=access_review.SIGNABLE))
