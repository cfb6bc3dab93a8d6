"""The set-up's own pages: overview, a customer, the year's closed days, external people."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.access.decision import can, require, visible
from portal.accounts.reach import MANAGE
from portal.operations.setup.views import last_saved
from portal.records.errors import Refused
from tracershop.forms.setup import AnotherCustomerForm, CloseDaysForm, ExternalPersonForm
from tracershop.models import Customer
from tracershop.models.reach import SETUP
from tracershop.rules.holidays import YEARS
from tracershop.selectors import setup as selectors
from tracershop.selectors.external_people import external_people, people_to_add
from tracershop.selectors.topics import customer_topic
from tracershop.services.external_people import add_customer, admit_external
from tracershop.services.setup import close_days
from tracershop.views.setup_pages import PAGES

PAGE_LENGTH = 50
_FIELD_OF = {"taken": "email", "mail": "email", "past": "expires_on", "gone": "customer"}


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """What can be set up, how much there is of it, and what is missing."""
    require(request.user, SETUP)
    sizes = selectors.sizes(request.user, {page.name: page.rules.model for page in PAGES})
    context = {
        "parts": [(page, page.url(), sizes[page.name]) for page in PAGES],
        "gaps": selectors.gaps(request.user, timezone.localdate()),
        "may_manage_external": can(request.user, MANAGE),
    }
    return render(request, "tracershop/setup/overview.html", context)


@require_safe
def customer(request: HttpRequest, pk: int) -> HttpResponse:
    """One customer: contacts, endpoints, what each may order and when it is delivered."""
    require(request.user, SETUP)
    found = selectors.customer_setup(request.user, pk)
    if found is None:
        raise Http404
    context = {
        "found": found,
        "customer": found.customer,
        "saved": last_saved([found.customer]).get(pk),
        "topic": customer_topic(pk),
        "here": f"?back={request.path}",
        "and_back": f"&back={request.path}",
    }
    return render(request, "tracershop/setup/customer.html", context)


@require_http_methods(["GET", "POST"])
def propose_days(request: HttpRequest) -> HttpResponse:
    """The holidays of a year, ticked; what is chosen is closed at once."""
    require(request.user, SETUP)
    today = timezone.localdate()
    asked = request.GET.get("year", "")
    year = int(asked) if asked.isdecimal() and len(asked) == 4 else _year_to_plan(today)
    if year not in YEARS:
        raise Http404
    proposal = selectors.days_to_close(year, settings.LANGUAGE_CODE, today)
    names = {f"{each.proposed.day:%Y-%m-%d}": each.proposed for each in proposal}
    form = CloseDaysForm(request.POST or None)
    form.fields["days"].choices = [(key, key) for key in names]  # type: ignore[attr-defined]
    if request.method == "POST" and form.is_valid():
        chosen = [(names[key].day, names[key].name) for key in form.cleaned_data["days"]]
        try:
            closed = close_days(actor=request.user, days=chosen, reason=form.cleaned_data["reason"])
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Closed days: %(count)s.") % {"count": len(closed)})
            return redirect("tracershop:setup_closed-days")
    ticked = set(form["days"].value() or ()) if form.is_bound else None
    rows = [
        {
            "key": key,
            "day": each,
            "weekday": date_format(each.proposed.day, "l"),
            "ticked": each.proposed.public if ticked is None else key in ticked,
        }
        for key, each in zip(names, proposal, strict=True)
    ]
    context = {
        "form": form,
        "rows": rows,
        "year": year,
        "open": any(not d.closed for d in proposal),
    }
    status = 422 if form.errors else 200
    return render(request, "tracershop/setup/propose_days.html", context, status=status)


def _year_to_plan(today: Any) -> int:
    """From October on one plans the next year."""
    return today.year + (today.month >= 10)


@require_safe
def external(request: HttpRequest) -> HttpResponse:
    """External people of shops, with their customers, last day and last log-in."""
    require(request.user, SETUP)
    require(request.user, MANAGE)
    text = request.GET.get("text", "").strip()
    found = Paginator(external_people(request.user, text), PAGE_LENGTH)
    context = {
        "page": found.get_page(request.GET.get("page")),
        "text": text,
        "today": timezone.localdate(),
        "by_request": settings.PORTAL_ACCOUNTS_BY_REQUEST,
    }
    return render(request, "tracershop/setup/external.html", context)


@require_http_methods(["GET", "POST"])
def external_new(request: HttpRequest) -> HttpResponse:
    """A new person: account, role and customer in one act."""
    require(request.user, SETUP)
    require(request.user, MANAGE)
    if settings.PORTAL_ACCOUNTS_BY_REQUEST:
        return redirect("accounts:request_new")
    form = ExternalPersonForm(request.POST or None, customers=_customers(request))

    def act(values: dict[str, Any]) -> str:
        admit_external(actor=request.user, customer_id=values.pop("customer").pk, **values)
        return _("%(name)s has an account; a link was mailed.") % values

    return _external_form(request, form, act, _("New external person"))


@require_http_methods(["GET", "POST"])
def external_another(request: HttpRequest) -> HttpResponse:
    """One more customer for a person who has an account."""
    require(request.user, SETUP)
    require(request.user, MANAGE)
    form = AnotherCustomerForm(
        request.POST or None,
        people=people_to_add(request.user),
        customers=_customers(request),
        initial={"user": request.GET.get("person")},
    )

    def act(values: dict[str, Any]) -> str:
        add_customer(actor=request.user, customer_id=values["customer"].pk, user=values["user"],
                     reason=values["reason"])  # fmt: skip
        return _("%(user)s now orders for %(customer)s.") % values

    return _external_form(request, form, act, _("One more customer"))


def _external_form(request: HttpRequest, form: Any, act: Any, heading: str) -> HttpResponse:
    if request.method == "POST" and form.is_valid():
        try:
            text = act(form.cleaned_data)
        except Refused as refusal:
            field = _FIELD_OF.get(refusal.code)
            form.add_error(field if field in form.fields else None, str(refusal))
        else:
            messages.success(request, text)
            return redirect("tracershop:setup_external")
    context = {"form": form, "heading": heading, "back": reverse("tracershop:setup_external")}
    status = 422 if form.errors else 200
    return render(request, "tracershop/setup/external_form.html", context, status=status)


def _customers(request: HttpRequest) -> Any:
    return visible(request.user, Customer.objects.order_by("name"), SETUP)
