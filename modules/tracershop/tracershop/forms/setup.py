"""Forms of the set-up pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.access.decision import visible
from portal.access.forms import ReasonForm, UnitField
from portal.operations.setup.forms import RecordForm
from portal.organisation.models import Unit
from portal.records.fields import AmountField, DateInput
from tracershop.forms.mappings import EndpointChoice, PersonChoice
from tracershop.models import (
    CatalogueEntry,
    ClosedDay,
    Contact,
    Customer,
    DeliverySlot,
    Endpoint,
    Isotope,
    OrderDeadline,
    ProductionRun,
    QualityTest,
    Tracer,
)
from tracershop.models.reach import SETUP
from tracershop.rules.isotopes import ISOTOPES


def _customers(actor: Any) -> Any:
    return visible(actor, Customer.objects.order_by("name"), SETUP)


def _endpoints(actor: Any) -> Any:
    rows = visible(actor, Endpoint.objects.all(), SETUP)
    return rows.select_related("customer").order_by("customer__name", "name")


def _tracers() -> Any:
    return Tracer.objects.order_by("name")


class CustomerForm(RecordForm):
    unit = UnitField(
        label=_("Unit"), help_text=_("Who works there, or above it, may see and order for it.")
    )

    class Meta(RecordForm.Meta):
        model = Customer
        fields = ("name", "unit", "dispenser_id", "external", "address")
        labels = {"external": _("External: a company, not a department of ours")}

    def offer(self, actor: Any) -> None:
        self.fields["unit"].queryset = Unit.objects.open().order_by("path")


class ContactForm(RecordForm):
    class Meta(RecordForm.Meta):
        model = Contact
        fields = ("customer", "name", "function", "phone", "email", "order")
        labels = {"customer": _("Customer")}
        help_texts = {"order": _("1 is called first, in a recall too.")}

    def offer(self, actor: Any) -> None:
        self.fields["customer"].queryset = _customers(actor)


class EndpointForm(RecordForm):
    class Meta(RecordForm.Meta):
        model = Endpoint
        fields = ("customer", "name")
        labels = {"customer": _("Customer")}
        help_texts = {"name": _("Where the tracers are handed over, e.g. PET/CT 1.")}

    def offer(self, actor: Any) -> None:
        self.fields["customer"].queryset = _customers(actor)


class CatalogueForm(RecordForm):
    endpoint = EndpointChoice(queryset=None, label=_("Endpoint"))

    class Meta(RecordForm.Meta):
        model = CatalogueEntry
        fields = ("endpoint", "tracer", "overhead_factor", "max_injections")
        labels = {"tracer": _("Tracer")}
        help_texts = {
            "overhead_factor": _("1.25 makes a quarter more than is ordered."),
            "max_injections": _("In one order; for tracers that are ordered by injections."),
        }

    def offer(self, actor: Any) -> None:
        self.fields["endpoint"].queryset = _endpoints(actor)
        self.fields["tracer"].queryset = _tracers()


class IsotopeForm(RecordForm):
    """Half-life and source are the table's where they are left empty."""

    symbol = forms.ChoiceField(label=_("Isotope"))
    half_life_s = AmountField(
        label=_("Half-life (s)"),
        required=False,
        help_text=_("Empty: as in the nuclear data table."),
    )
    source = forms.CharField(
        label=_("Source of the half-life"),
        max_length=200,
        required=False,
        help_text=_("Empty: that of the table. A number of your own has a source of its own."),
    )

    class Meta(RecordForm.Meta):
        model = Isotope
        fields = ("symbol", "half_life_s", "source")

    def offer(self, actor: Any) -> None:
        there = set(Isotope.all_objects.values_list("symbol", flat=True))
        own = self.instance.symbol
        choices = [
            (each.symbol, f"{each.symbol}: {each.published}, {each.source}")
            for each in ISOTOPES.values()
            if each.symbol == own or each.symbol not in there
        ]
        if own and own not in ISOTOPES:
            choices.append((own, own))
        self.fields["symbol"].choices = choices

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        known = ISOTOPES.get(values.get("symbol", ""))
        if known is not None:
            if values.get("half_life_s") is None and "half_life_s" not in self.errors:
                values["half_life_s"] = known.half_life_s
            values["source"] = values.get("source") or self._source(known, values)
        return values

    def _source(self, known: Any, values: dict[str, Any]) -> str:
        """The table's for the table's number; the service asks for that of another."""
        return known.source if values.get("half_life_s") == known.half_life_s else ""


class TracerForm(RecordForm):
    class Meta(RecordForm.Meta):
        model = Tracer
        fields = (
            "name", "isotope", "kind", "lot_prefix", "shelf_life_min", "chemical_form",
            "min_vial_mbq", "max_vial_mbq", "min_vial_ml", "max_vial_ml",
        )  # fmt: skip
        labels = {"isotope": _("Isotope")}
        help_texts = {"lot_prefix": _("FDG makes lots such as FDG-261123-1.")}

    def offer(self, actor: Any) -> None:
        self.fields["isotope"].queryset = Isotope.objects.order_by("symbol")


class QualityTestForm(RecordForm):
    class Meta(RecordForm.Meta):
        model = QualityTest
        fields = (
            "tracer", "name", "method", "unit", "lower_limit", "upper_limit", "stage", "order",
        )  # fmt: skip
        labels = {"tracer": _("Tracer")}
        help_texts = {
            "upper_limit": _("Without any limit the test is passed or not, without a number.")
        }

    def offer(self, actor: Any) -> None:
        self.fields["tracer"].queryset = _tracers()


class RunForm(RecordForm):
    class Meta(RecordForm.Meta):
        model = ProductionRun
        fields = ("tracer", "weekday", "ends_at")
        labels = {"tracer": _("Tracer")}

    def offer(self, actor: Any) -> None:
        self.fields["tracer"].queryset = _tracers()


class SlotForm(RecordForm):
    """A slot is on the day of its run where nothing else is said."""

    endpoint = EndpointChoice(queryset=None, label=_("Endpoint"))
    run = forms.ModelChoiceField(
        queryset=None,
        label=_("From the run"),
        help_text=_("Which production the delivery comes from."),
    )
    weekday = forms.TypedChoiceField(
        label=_("Delivered on"),
        choices=[("", _("the day of the run")), *DeliverySlot._meta.get_field("weekday").choices],  # noqa: SLF001
        coerce=int,
        empty_value=None,
        required=False,
    )

    class Meta(RecordForm.Meta):
        model = DeliverySlot
        fields = ("endpoint", "run", "weekday", "deliver_time", "parity", "expires_on")
        help_texts = {"expires_on": _("Empty: until it is ended.")}

    def offer(self, actor: Any) -> None:
        runs = ProductionRun.objects.select_related("tracer")
        if not self.is_new:  # another tracer is another slot
            runs = runs.filter(tracer=self.instance.run.tracer_id)
        self.fields["run"].queryset = runs.order_by("tracer__name", "weekday", "ends_at")
        self.fields["endpoint"].queryset = _endpoints(actor)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("weekday") is None and values.get("run") is not None:
            values["weekday"] = values["run"].weekday
        return values


class DeadlineForm(RecordForm):
    class Meta(RecordForm.Meta):
        model = OrderDeadline
        fields = ("order_kind", "kind", "weekday", "at")
        help_texts = {"weekday": _("Of a weekly deadline only.")}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("kind") == OrderDeadline.Kind.DAILY:
            values["weekday"] = None
        elif "kind" in values and values.get("weekday") is None:
            self.add_error("weekday", _("Choose the weekday before which to order."))
        return values


class ClosedDayForm(RecordForm):
    class Meta(RecordForm.Meta):
        model = ClosedDay
        fields = ("day", "name")


class CloseDaysForm(ReasonForm):
    """Which of the proposed days are closed; the choices are days as ISO text."""

    days = forms.MultipleChoiceField(
        label=_("Days"), widget=forms.CheckboxSelectMultiple, required=False
    )
    field_order = ("days", "reason")


class ExternalPersonForm(ReasonForm):
    """A new external person, with the shop's role and the customer at once."""

    name = forms.CharField(label=_("Name"), max_length=200)
    email = forms.EmailField(
        label=_("Mail address"), help_text=_("The link to choose a password goes there.")
    )
    customer = forms.ModelChoiceField(queryset=None, label=_("Orders for the customer"))
    expires_on = forms.DateField(
        label=_("Last day"), widget=DateInput, help_text=_("It can be extended later.")
    )
    field_order = ("name", "email", "customer", "expires_on", "reason")

    def __init__(self, *args: Any, customers: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["customer"].queryset = customers


class AnotherCustomerForm(ReasonForm):
    """One more customer for an external person who has an account."""

    user = PersonChoice(queryset=None, label=_("Person"))
    customer = forms.ModelChoiceField(queryset=None, label=_("Customer"))
    field_order = ("user", "customer", "reason")

    def __init__(self, *args: Any, people: Any, customers: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["user"].queryset = people
        self.fields["customer"].queryset = customers
