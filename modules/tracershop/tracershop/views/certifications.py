"""Who may release what, and until when."""

from __future__ import annotations

from datetime import date, timedelta

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from portal.access.decision import require
from portal.access.selectors import people_with
from portal.records.fields import DateInput
from tracershop.models import Certification, Tracer
from tracershop.models.reach import CERTIFY, RELEASE
from tracershop.services.certifications import certify, revoke_certification


class CertificationForm(forms.Form):
    """Who, which tracer, from when until when, and why."""

    user = forms.ModelChoiceField(queryset=None, label=gettext_lazy("Person"))
    tracer = forms.ModelChoiceField(queryset=None, label=gettext_lazy("Tracer"))
    valid_from = forms.DateField(
        label=gettext_lazy("From"),
        widget=DateInput,
    )
    expires_on = forms.DateField(
        label=gettext_lazy("Until"),
        widget=DateInput,
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=300, help_text=gettext_lazy("E.g. the training.")
    )

    def __init__(self, *args: object, actor: object, **options: object) -> None:
        super().__init__(*args, **options)
        people = people_with(RELEASE).exclude(pk=actor.pk).order_by("name")
        self.fields["user"].queryset = people
        self.fields["tracer"].queryset = Tracer.objects.order_by("name")


@require_GET
def certifications(request: HttpRequest) -> HttpResponse:
    require(request.user, CERTIFY)
    today = timezone.localdate()
    initial = {"valid_from": today, "expires_on": _a_year_on(today)}
    return _page(request, CertificationForm(actor=request.user, initial=initial))


@require_POST
def add(request: HttpRequest) -> HttpResponse:
    require(request.user, CERTIFY)
    form = CertificationForm(request.POST, actor=request.user)
    if not form.is_valid():
        return _page(request, form, status=422)
    data = form.cleaned_data
    certify(
        actor=request.user,
        user=data["user"],
        tracer_id=data["tracer"].pk,
        valid_from=data["valid_from"],
        expires_on=data["expires_on"],
        reason=data["reason"],
    )
    messages.success(
        request,
        _("%(name)s may release %(tracer)s.") % {"name": data["user"], "tracer": data["tracer"]},
    )
    return redirect("tracershop:certifications")


@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, CERTIFY)
    certification = get_object_or_404(Certification, pk=pk)
    revoke_certification(
        actor=request.user, certification_id=pk, reason=request.POST.get("reason", "")
    )
    messages.success(
        request, _("The certification of %(name)s is revoked.") % {"name": certification.user}
    )
    return redirect("tracershop:certifications")


def _page(request: HttpRequest, form: CertificationForm, status: int = 200) -> HttpResponse:
    today = timezone.localdate()
    rows = Certification.objects.select_related("user", "tracer", "granted_by").order_by(
        "tracer__name", "user__name"
    )
    context = {
        "form": form,
        "rows": [(row, _state(row, today)) for row in rows],
        "today": today,
    }
    return render(request, "tracershop/certifications/certifications.html", context, status=status)


def _state(row: Certification, today: date) -> str:
    if row.expires_on < today:
        return "expired"
    if row.valid_from > today:
        return "waiting"
    return "warning" if row.expires_on <= today + timedelta(days=30) else "active"


def _a_year_on(today: date) -> date:
    return today + timedelta(days=365)
