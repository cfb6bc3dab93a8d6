"""Forms of the certifications page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.access.forms import ReasonForm
from portal.access.selectors import people_with
from portal.records.fields import DateInput
from tracershop.forms.mappings import PersonChoice
from tracershop.models import Tracer
from tracershop.models.reach import RELEASE


class RenewForm(ReasonForm):
    """Until when it holds from now on, and why."""

    expires_on = forms.DateField(label=_("Until"), widget=DateInput)
    field_order = ("expires_on", "reason")


class CertificationForm(RenewForm):
    """Who, which tracer, from when until when, and why."""

    user = PersonChoice(queryset=None, label=_("Person"))
    tracer = forms.ModelChoiceField(queryset=None, label=_("Tracer"))
    valid_from = forms.DateField(label=_("From"), widget=DateInput)
    field_order = ("user", "tracer", "valid_from", "expires_on", "reason")

    def __init__(self, *args: Any, actor: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["user"].queryset = people_with(RELEASE).exclude(pk=actor.pk).order_by("name", "pk")
        fields["tracer"].queryset = Tracer.objects.order_by("name")
        fields["reason"].help_text = _("E.g. the training. It goes into the audit trail.")
