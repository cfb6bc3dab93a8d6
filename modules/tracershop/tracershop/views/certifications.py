"""Who may release what, and until when (TS-085)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.access.acts import ask
from portal.access.decision import require
from portal.access.forms import ReasonForm
from portal.records.errors import Refused
from tracershop.forms.certifications import CertificationForm, RenewForm
from tracershop.models import Certification
from tracershop.models.reach import CERTIFY
from tracershop.selectors.certifications import certification_matrix
from tracershop.selectors.topics import CERTIFICATIONS
from tracershop.services.certifications import certify, revoke_certification


@require_GET
def certifications(request: HttpRequest) -> HttpResponse:
    """People and tracers; the form is filled in with what an empty cell leads to."""
    require(request.user, CERTIFY)
    today = timezone.localdate()
    initial: dict[str, Any] = {"valid_from": today, "expires_on": _a_year_on(today)}
    initial |= {name: request.GET[name] for name in ("user", "tracer") if name in request.GET}
    return _page(request, CertificationForm(actor=request.user, initial=initial))


@require_POST
def add(request: HttpRequest) -> HttpResponse:
    require(request.user, CERTIFY)
    form = CertificationForm(request.POST, actor=request.user)
    if form.is_valid():
        values = dict(form.cleaned_data)
        tracer = values.pop("tracer")
        try:
            certify(actor=request.user, tracer_id=tracer.pk, **values)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            told = {"name": values["user"], "tracer": tracer}
            messages.success(request, _("%(name)s may release %(tracer)s.") % told)
            return redirect("tracershop:certifications")
    return _page(request, form, status=422)


@require_http_methods(["GET", "POST"])
def renew(request: HttpRequest, pk: int) -> HttpResponse:
    """The same person and tracer, from today on until another day; it takes the old one's place."""
    found = _of_another(request, pk)
    today = timezone.localdate()
    return ask(
        request,
        RenewForm(request.POST or None, initial={"expires_on": _a_year_on(today)}),
        lambda **given: certify(
            actor=request.user,
            user=found.user,
            tracer_id=found.tracer_id,
            valid_from=today,
            **given,
        ),
        title=_("Renew: %(name)s, %(tracer)s") % {"name": found.user, "tracer": found.tracer},
        words=_("It holds from today until the day that you choose."),
        back=reverse("tracershop:certifications"),
    )


@require_http_methods(["GET", "POST"])
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    found = _of_another(request, pk)
    told = {"name": found.user, "tracer": found.tracer}
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda **given: revoke_certification(actor=request.user, certification_id=pk, **given),
        title=_("Revoke: %(name)s, %(tracer)s") % told,
        words=_("%(name)s will no longer be able to release %(tracer)s.") % told,
        back=reverse("tracershop:certifications"),
        danger=True,
    )


def _of_another(request: HttpRequest, pk: int) -> Certification:
    """A certification that is not the person's own: nobody has a hand in that."""
    require(request.user, CERTIFY)
    rows = Certification.objects.select_related("user", "tracer")
    found: Certification = get_object_or_404(rows, pk=pk)
    if found.user == request.user:
        raise PermissionDenied("nobody changes their own certification")
    return found


def _page(request: HttpRequest, form: CertificationForm, status: int = 200) -> HttpResponse:
    tracers, people = certification_matrix(timezone.localdate())
    context = {"form": form, "tracers": tracers, "people": people, "topic": CERTIFICATIONS}
    return render(request, "tracershop/certifications/certifications.html", context, status=status)


def _a_year_on(today: date) -> date:
    return today + timedelta(days=365)
