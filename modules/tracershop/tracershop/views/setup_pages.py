"""How the kinds of set-up records are shown: their columns and words."""

from __future__ import annotations

from datetime import time
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext_lazy as _

from portal.operations.setup.pages import Column, SetupPage
from tracershop.forms import setup as forms
from tracershop.services import setup as rules

TOP = "tracershop:setup"
_ORDERS_STAY = _("Orders that are placed already stay as they are, whatever is changed here.")


def _clock(at: time) -> str:
    return f"{at:%H:%M}"


def _range(low: float | None, high: float | None) -> str:
    return " – ".join("" if each is None else number_format(each) for each in (low, high)).strip()


def _no_injections(row: Any) -> Any:
    return "–" if row.tracer.by_slot else row.max_injections


CUSTOMERS = SetupPage(
    "customers",
    rules.CUSTOMERS,
    form=forms.CustomerForm,
    columns=(
        Column(_("Customer"), "name"),
        Column(_("Unit"), "unit"),
        Column(_("Number in the dispenser"), "dispenser_id", number=True),
        Column(_("External"), "external"),
    ),
    title=_("Customers"),
    lead=_("Who orders and is delivered to, with endpoints, catalogue and contacts."),
    add=_("Add a customer"),
    empty=_("Begin with the department or company that orders first."),
    end_words=_("Nobody orders for it any more. Its orders stay in the records."),
    order=("name",),
    top=TOP,
    note=_ORDERS_STAY,
    related=("unit",),
    search=("name", "unit__name"),
    icon="organisation",
    own_page="tracershop:setup_customer",
)
CONTACTS = SetupPage(
    "contacts",
    rules.CONTACTS,
    form=forms.ContactForm,
    columns=(
        Column(_("Name"), "name"),
        Column(_("Customer"), "customer"),
        Column(_("Called as number"), "order", number=True),
        Column(_("Function"), "function"),
        Column(_("Telephone"), "phone"),
        Column(_("Mail"), "email"),
    ),
    title=_("Contacts"),
    lead=_("Whom production calls, in a recall first of all."),
    add=_("Add a contact"),
    empty=_("Without a contact nobody can be called in a recall."),
    end_words=_("The person is not called any more."),
    order=("customer__name", "order", "name"),
    top=TOP,
    related=("customer",),
    search=("name", "customer__name"),
    icon="phone",
)
ENDPOINTS = SetupPage(
    "endpoints",
    rules.ENDPOINTS,
    form=forms.EndpointForm,
    columns=(Column(_("Endpoint"), "name"), Column(_("Customer"), "customer")),
    title=_("Endpoints"),
    lead=_("Where tracers are delivered to."),
    add=_("Add an endpoint"),
    empty=_("Set up a customer, then the places where it receives its tracers."),
    end_words=_("Nothing is delivered there any more. Its orders stay in the records."),
    order=("customer__name", "name"),
    top=TOP,
    note=_ORDERS_STAY,
    related=("customer",),
    search=("name", "customer__name"),
    icon="truck",
)
CATALOGUE = SetupPage(
    "catalogue",
    rules.CATALOGUE,
    form=forms.CatalogueForm,
    columns=(
        Column(_("Tracer"), "tracer"),
        Column(_("Endpoint"), "endpoint"),
        Column(_("Customer"), "endpoint.customer"),
        Column(_("Overhead factor"), "overhead_factor", number=True),
        Column(_("Injections in an order, at most"), _no_injections, number=True),
    ),
    title=_("Catalogue"),
    lead=_("Which endpoint may order which tracer, and with how much overhead."),
    add=_("Add to the catalogue"),
    empty=_("An endpoint orders only what stands here."),
    end_words=_("The endpoint cannot order the tracer any more."),
    order=("endpoint__customer__name", "endpoint__name", "tracer__name"),
    top=TOP,
    note=_ORDERS_STAY,
    related=("tracer", "endpoint__customer"),
    search=("tracer__name", "endpoint__name", "endpoint__customer__name"),
    icon="flask",
)
ISOTOPES = SetupPage(
    "isotopes",
    rules.ISOTOPES,
    form=forms.IsotopeForm,
    columns=(
        Column(_("Isotope"), "symbol"),
        Column(_("Half-life (s)"), "half_life_s", number=True),
        Column(_("Source"), "source"),
    ),
    title=_("Isotopes"),
    lead=_("Half-lives, each with its source. All decay is calculated with them."),
    add=_("Add an isotope"),
    empty=_("Choose the first one from the nuclear data table."),
    end_words=_("No tracer can be made of it any more."),
    order=("symbol",),
    top=TOP,
    note=_("What was signed keeps the half-life of then; amounts to come use the new one."),
    icon="atom",
)
TRACERS = SetupPage(
    "tracers",
    rules.TRACERS,
    form=forms.TracerForm,
    columns=(
        Column(_("Tracer"), "name"),
        Column(_("Isotope"), "isotope"),
        Column(_("Ordered"), "get_kind_display"),
        Column(_("Lot prefix"), "lot_prefix"),
        Column(_("Vial (MBq)"), lambda row: _range(row.min_vial_mbq, row.max_vial_mbq), True),
        Column(_("Shelf life (min)"), "shelf_life_min", number=True),
    ),
    title=_("Tracers"),
    lead=_("What is made, and how it is ordered."),
    add=_("Add a tracer"),
    empty=_("Set up its isotope first, then the tracer."),
    end_words=_("It is not made any more. Its orders and batches stay in the records."),
    order=("name",),
    top=TOP,
    note=_ORDERS_STAY,
    related=("isotope",),
    search=("name", "isotope__symbol", "lot_prefix"),
    icon="vial",
)
QUALITY_TESTS = SetupPage(
    "quality-tests",
    rules.QUALITY_TESTS,
    form=forms.QualityTestForm,
    columns=(
        Column(_("Test"), "name"),
        Column(_("Tracer"), "tracer"),
        Column(_("Place in the list"), "order", number=True),
        Column(_("Method"), "method"),
        Column(_("Limits"), lambda row: _range(row.lower_limit, row.upper_limit), True),
        Column(_("Measured in"), "unit"),
        Column(_("Needed"), "get_stage_display"),
    ),
    title=_("Quality tests"),
    lead=_("What every batch of a tracer is tested for, and its limits."),
    add=_("Add a quality test"),
    empty=_("Without tests a batch is released on no results at all."),
    end_words=_("Batches from now on are not tested for it. Results that are there stay."),
    order=("tracer__name", "order", "name"),
    top=TOP,
    note=_("Results that are recorded already keep the limits of then."),
    related=("tracer",),
    search=("name", "tracer__name"),
    icon="flask",
)
RUNS = SetupPage(
    "runs",
    rules.RUNS,
    form=forms.RunForm,
    columns=(
        Column(_("Run"), lambda row: f"{row.tracer} {_clock(row.ends_at)}"),
        Column(_("Weekday"), "get_weekday_display"),
        Column(_("End of synthesis"), lambda row: _clock(row.ends_at)),
    ),
    title=_("Runs"),
    lead=_("When which tracer is produced, every week."),
    add=_("Add a run"),
    empty=_("Deliveries come from runs: begin with these."),
    end_words=_("Nothing is produced at this time any more."),
    order=("tracer__name", "weekday", "ends_at"),
    top=TOP,
    note=_ORDERS_STAY,
    related=("tracer",),
    search=("tracer__name",),
    icon="activity",
)
SLOTS = SetupPage(
    "slots",
    rules.SLOTS,
    form=forms.SlotForm,
    columns=(
        Column(_("Slot"), lambda row: f"{row.get_weekday_display()} {_clock(row.deliver_time)}"),
        Column(_("Tracer"), "run.tracer"),
        Column(_("Endpoint"), "endpoint"),
        Column(_("Customer"), "endpoint.customer"),
        Column(_("Weeks"), "get_parity_display"),
        Column(_("From the run at"), lambda row: _clock(row.run.ends_at)),
        Column(_("Last day"), "expires_on"),
    ),
    title=_("Delivery slots"),
    lead=_("When what is delivered where, every week or every other week."),
    add=_("Add a slot"),
    empty=_("Customers order for these times. Runs and the catalogue come first."),
    end_words=_("It cannot be ordered any more. Orders of days gone by stay in the records."),
    order=("endpoint__customer__name", "endpoint__name", "run__tracer__name", "weekday",
           "deliver_time"),
    top=TOP,
    note=_ORDERS_STAY,
    related=("run__tracer", "endpoint__customer"),
    search=("run__tracer__name", "endpoint__name", "endpoint__customer__name"),
    icon="clock",
)  # fmt: skip
DEADLINES = SetupPage(
    "deadlines",
    rules.DEADLINES,
    form=forms.DeadlineForm,
    columns=(
        Column(_("Kind of order"), "get_order_kind_display"),
        Column(_("Deadline"), "get_kind_display"),
        Column(_("Weekday"), lambda row: "" if row.weekday is None else row.get_weekday_display()),
        Column(_("At"), lambda row: _clock(row.at)),
    ),
    title=_("Deadlines"),
    lead=_("Until when each kind of order can be placed. A kind without one cannot be ordered."),
    add=_("Add a deadline"),
    empty=_("Without a deadline nothing can be ordered."),
    end_words="",
    order=("order_kind",),
    top=TOP,
    note=_ORDERS_STAY,
    icon="hourglass",
)  # fmt: skip
CLOSED_DAYS = SetupPage(
    "closed-days",
    rules.CLOSED_DAYS,
    form=forms.ClosedDayForm,
    columns=(
        Column(_("Day"), "day"),
        Column(_("Weekday"), lambda row: date_format(row.day, "l")),
        Column(_("Why"), "name"),
    ),
    title=_("Closed days"),
    lead=_("Days for which nothing can be ordered."),
    add=_("Close a day"),
    empty=_("Let the holidays of a year be proposed, or close single days."),
    end_words=_("The day can be ordered for again."),
    order=("-day",),
    top=TOP,
    note=_ORDERS_STAY,
    search=("name",),
    icon="calendar",
    more_acts=((_("Propose holidays"), "tracershop:setup_propose_days", "calendar"),),
)
PAGES = (
    CUSTOMERS, CONTACTS, ENDPOINTS, CATALOGUE, SLOTS, RUNS, DEADLINES, CLOSED_DAYS, TRACERS,
    ISOTOPES, QUALITY_TESTS,
)  # fmt: skip
