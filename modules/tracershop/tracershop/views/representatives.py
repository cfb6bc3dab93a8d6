"""Who represents which customer, and letting others do so (TS-100, TS-101)."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from portal.access.decision import can, require
from portal.records.errors import Refused
from tracershop.forms.mappings import ReasonForm, RepresentationForm
from tracershop.models import Customer
from tracershop.models.reach import REPRESENT, SETUP
from tracershop.selectors.representation import manageable, people_to_choose, representations
from tracershop.services.representation import end_representation, let_represent


@require_http_methods(["GET", "POST"])
def representatives(request: HttpRequest) -> HttpResponse:
    """The list, and the form that adds to it."""
    require(request.user, REPRESENT)
    customers = manageable(request.user, Customer.objects.order_by("name"))
    keys = list(customers.values_list("pk", flat=True)[:2])
    form = RepresentationForm(
        request.POST or None,
        people=people_to_choose(request.user),
        customers=customers,
        initial={"customer": keys[0] if len(keys) == 1 else None},
    )
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            let_represent(
                actor=request.user,
                user=values["user"],
                customer_id=values["customer"].pk,
                reason=values["reason"],
            )
        except Refused as refusal:
            form.add_error(None, str(refusal.message))
        else:
            text = _("%(person)s now represents %(customer)s.")
            told = {"person": values["user"], "customer": values["customer"]}
            messages.success(request, text % told)
            return redirect("tracershop:representatives")
    context = {
        "form": form,
        "rows": list(representations(request.user)),
        "has_customers": bool(keys),
        "production": can(request.user, SETUP),
    }
    template = "tracershop/representatives/representatives.html"
    return render(request, template, context, status=422 if form.errors else 200)


@require_POST
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """The person no longer represents the customer; what they ordered stays ordered."""
    require(request.user, REPRESENT)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        raise Refused(_("Say why the person no longer represents the customer."), code="missing")
    end_representation(actor=request.user, representation_id=pk, reason=form.cleaned_data["reason"])
    messages.success(request, _("The representation is ended."))
    return redirect("tracershop:representatives")
