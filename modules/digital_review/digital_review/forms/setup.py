"""Forms of the set-up pages of review types."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from digital_review.models import FormSlot, Outcome, OutcomeSpecialist, ReviewType
from digital_review.models.reach import SET_UP, SIGN_REVIEW
from digital_review.services.installing import AREA, shipped
from portal.access.decision import held_by, visible
from portal.access.forms import ReasonForm, UnitField
from portal.access.policies import ByUnit
from portal.access.selectors import people_with
from portal.flows.models import FlowDesign
from portal.forms.models import FormDesign
from portal.operations.setup.forms import RecordForm
from portal.organisation.models import Unit


def units_of_set_up(actor: Any) -> Any:
    """The open units at which the actor sets up review types."""
    reach = ByUnit("").q(held_by(actor), SET_UP)
    return Unit.objects.none() if reach is None else Unit.objects.open().filter(reach)


def _types(actor: Any) -> Any:
    return visible(actor, ReviewType.objects.order_by("name"), SET_UP)


class PersonChoice(forms.ModelChoiceField):
    """People by name; the user name tells two of one name apart."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} ({obj.username})"


class ReviewTypeForm(RecordForm):
    unit = UnitField(
        label=_("Unit"), help_text=_("Roles that are held there, or above it, reach its cases.")
    )

    class Meta(RecordForm.Meta):
        model = ReviewType
        fields = (
            "name",
            "code",
            "unit",
            "flow",
            "diagnosis",
            "working_diagnosis",
            "local_diagnosis",
            "cadence_months",
            "follow_up_months",
            "reminder_days",
            "reminder_days_before",
            "information_days_before",
            "report_days_before",
        )
        labels = {"flow": _("Flow")}
        help_texts = {
            "code": _("Letters, digits and hyphens; never changed later."),
            "diagnosis": _("Where the meeting writes it, as form.item: crf.C15"),
            "working_diagnosis": _("Where the hospital writes it: precrf.A50"),
            "local_diagnosis": _("Compared with the outcome: precrf.local_diagnosis"),
        }

    def offer(self, actor: Any) -> None:
        fields: Any = self.fields
        fields["unit"].queryset = units_of_set_up(actor).order_by("path")
        flows = visible(actor, FlowDesign.objects.filter(area=AREA))
        fields["flow"].queryset = flows.order_by("title")


class SlotForm(RecordForm):
    class Meta(RecordForm.Meta):
        model = FormSlot
        fields = (
            "review_type",
            "title",
            "code",
            "design",
            "filled_by",
            "signed_by",
            "begins",
            "needed",
            "repeats",
            "order",
        )
        labels = {"review_type": _("Review type"), "design": _("Form")}
        help_texts = {
            "code": _("Its name in rules, such as precrf in precrf.complete; never changed later."),
            "repeats": _("Another one each time that it is asked for, such as a follow-up."),
        }

    def offer(self, actor: Any) -> None:
        fields: Any = self.fields
        fields["review_type"].queryset = _types(actor)
        designs = visible(actor, FormDesign.objects.filter(area=AREA))
        fields["design"].queryset = designs.order_by("title")


class OutcomeForm(RecordForm):
    class Meta(RecordForm.Meta):
        model = Outcome
        fields = ("review_type", "name", "code", "met", "to_panel", "advice", "order")
        labels = {"review_type": _("Review type")}
        help_texts = {
            "code": _("As the form that names the diagnosis has it in its code list."),
            "met": _("Without the tick no diagnosis could be made, and the review goes on."),
        }

    def offer(self, actor: Any) -> None:
        fields: Any = self.fields
        fields["review_type"].queryset = _types(actor)


class OutcomeChoice(forms.ModelChoiceField):
    """Outcomes with their review type: two of them may have a *no diagnosis*."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.review_type} – {obj}"


class SpecialistForm(RecordForm):
    outcome = OutcomeChoice(queryset=Outcome.objects.none(), label=_("Outcome"))
    person = PersonChoice(
        queryset=None, label=_("Person"), help_text=_("Who may sign central reviews.")
    )

    class Meta(RecordForm.Meta):
        model = OutcomeSpecialist
        fields = ("outcome", "person")

    def offer(self, actor: Any) -> None:
        fields: Any = self.fields
        outcomes = visible(actor, Outcome.objects.select_related("review_type"), SET_UP)
        fields["outcome"].queryset = outcomes.order_by("review_type__name", "order")
        fields["person"].queryset = people_with(SIGN_REVIEW).order_by("name", "pk")


class InstallForm(ReasonForm):
    """A review type that ships with the module, for a unit."""

    code = forms.ChoiceField(label=_("Review type"))
    unit = UnitField(label=_("Unit"), help_text=_("It owns the review type: a unit of its own."))
    field_order = ("code", "unit", "reason")

    def __init__(self, *args: Any, actor: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["code"].choices = [(code, code) for code in shipped()]
        fields["unit"].queryset = units_of_set_up(actor).order_by("path")
