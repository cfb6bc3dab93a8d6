"""Reviews of the audit trail: those that were signed, and signing the next one (PT-024)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from portal.access.decision import can, require
from portal.audit.services import Access, log_access
from portal.operations import reviews
from portal.operations.forms import LogFilter, ReviewForm
from portal.operations.models import TrailReview
from portal.records.errors import Refused
from portal.signing.models import Signature
from portal.signing.services import Signer, WrongPin, verify_many
from portal.signing.web import asks_for_passkey, passkey_options, refused, signer_of

BROWSE = "audit.browse_logs"
PAGE_LENGTH = 20


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Every review, and what its signature is worth now."""
    require(request.user, BROWSE)
    found = TrailReview.objects.select_related("head", "reviewed_by")
    page = Paginator(found, PAGE_LENGTH).get_page(request.GET.get("page"))
    log_access(Access.OPEN, "reviews of the audit trail")
    due = reviews.due_at()
    context = {
        "page": page,
        "rows": _with_verdicts(list(page.object_list)),
        "due_at": due,
        "overdue": due is not None and due < timezone.now(),
        "may_review": can(request.user, reviews.REVIEW),
    }
    return render(request, "operations/reviews.html", context)


def _with_verdicts(found: list[TrailReview]) -> list[dict[str, Any]]:
    by_key = {str(review.pk): review for review in found}
    signatures = list(Signature.objects.filter(signable=reviews.SIGNABLE, object_id__in=by_key))
    live = {signature.pk: by_key[signature.object_id] for signature in signatures}
    verdicts = {each.signature.object_id: each for each in verify_many(signatures, live)}
    return [{"review": review, "verdict": verdicts.get(str(review.pk))} for review in found]


@sensitive_post_parameters("pin")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """What was written since the last review, by the filter in the address, and its sign-off."""
    require(request.user, reviews.REVIEW)
    chosen = LogFilter(request.GET)
    if not chosen.is_valid():
        raise Refused(_("The filter cannot be read."), code="bad_filter")
    if request.method != "POST":
        return _page(request, chosen, ReviewForm())
    form = ReviewForm(request.POST)
    if not form.is_valid():
        if asks_for_passkey(request):
            words = _("Write what was looked at, and what was found.")
            return refused(Refused(words, code="no_findings"))
        return _page(request, chosen, form)

    def act(signer: Signer) -> TrailReview:
        return reviews.sign_review(
            actor=request.user,
            last_seq=form.cleaned_data["last_seq"],
            wanted=chosen.cleaned_data,
            filters=chosen.narrowing(),
            findings=form.cleaned_data["findings"],
            signer=signer,
        )

    if asks_for_passkey(request):
        return passkey_options(request, act)
    try:
        act(signer_of(request))
    except WrongPin as error:
        return _page(request, chosen, form, pin_error=str(error))
    except Refused as error:
        form.add_error(None, [str(error), *error.details])
        return _page(request, chosen, form)
    messages.success(request, _("The review is signed off."))
    return redirect("operations:reviews")


def _page(
    request: HttpRequest, chosen: LogFilter, form: ReviewForm, pin_error: str = ""
) -> HttpResponse:
    # after a wrong PIN the same part is shown again, not what came meanwhile
    shown = form.cleaned_data.get("last_seq") if form.is_bound else None
    part = reviews.part_to_review(shown) or reviews.part_to_review()
    wanted = chosen.cleaned_data
    if request.method == "GET":
        log_access(Access.OPEN, "audit trail, to review it", data=chosen.narrowing())
    context = {
        "filter": [
            (chosen.fields[name].label, value) for name, value in chosen.narrowing().items()
        ],
        "part": part,
        "acts": reviews.acts_in(part, wanted) if part else [],
        "found": reviews.entries_looked_at(part, wanted).count() if part else 0,
        "last": reviews.last_review(),
        "form": form,
        "meaning": reviews.meaning(),
        "pin_error": pin_error,
    }
    status = 422 if form.errors or pin_error else 200
    return render(request, "operations/review_new.html", context, status=status)
