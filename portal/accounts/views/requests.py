"""The way to an account in five steps, as everybody who has a part in it sees it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.access.acts import ask
from portal.access.forms import ReasonForm
from portal.accounts import forms, selectors
from portal.accounts.models import AccountRequest, User
from portal.accounts.rules import TURN, RequestAct, RequestState
from portal.accounts.services import requests as services
from portal.organisation.models import Unit
from portal.records.errors import Refused

SHOWN = ("todo", "open", "mine", "all")
_FIELD_OF = {
    "mail": "email",
    "known": "email",
    "name": "name",
    "module": "module",
    "wish": "wish",
}


def _person(request: HttpRequest) -> User:
    return request.user  # type: ignore[return-value]


@require_safe
def requests(request: HttpRequest) -> HttpResponse:
    person = _person(request)
    to_do = selectors.requests_to_do(person).count()
    show = request.GET.get("show", "")
    if show not in SHOWN:
        show = "todo" if to_do else "all"
    found = selectors.filtered_requests(person, show)
    context = {
        "page": Paginator(found, 50).get_page(request.GET.get("page")),
        "show": show,
        "to_do": to_do,
        "modules": dict(selectors.requestable_modules()),
    }
    return render(request, "accounts/requests.html", context)


def ask_for_account(request: HttpRequest) -> HttpResponse:
    """Step 1."""
    person = _person(request)
    form = forms.AccountRequestForm(
        request.POST or None,
        alone=person.is_external,
        modules=selectors.requestable_modules(),
        units=Unit.objects.open().order_by("path"),
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = services.request_account(actor=person, **form.values(person))
        except Refused as error:
            form.add_error(_FIELD_OF.get(error.code), str(error))
        else:
            messages.success(request, _("Asked. The owner at the unit is told."))
            return redirect("accounts:request", pk=made.pk)
    return render(
        request, "accounts/request_new.html", {"form": form}, status=422 if form.errors else 200
    )


@require_safe
def request_page(request: HttpRequest, pk: int) -> HttpResponse:
    found = _found(request, pk)
    acts = selectors.open_acts(_person(request), found)
    turn = TURN.get(RequestState(found.state))
    context = {
        "found": found,
        "acts": [act.value for act in acts],
        "step": _step_act(acts),
        "turn": turn.value if turn else "",
        "roles": selectors.asked_roles(found),
        "module": dict(selectors.requestable_modules()).get(found.module, found.module),
        "events": selectors.events_of(found),
    }
    return render(request, "accounts/request.html", context)


def _step_act(acts: list[RequestAct]) -> str:
    steps = {RequestAct.APPLY, RequestAct.CREATE, RequestAct.APPROVE}
    return next((act.value for act in acts if act in steps), "")


def apply(request: HttpRequest, pk: int) -> HttpResponse:
    found = _found(request, pk)
    form = forms.ApplyForm(
        _sent(request),
        initial={"unit": found.unit_id},
        roles=selectors.requestable_roles(found.module),
        units=selectors.owned_units(request.user),
        new_account=found.person is None,
    )
    return _act(
        request,
        found,
        RequestAct.APPLY,
        form,
        services.apply_for_account,
        title=_("Apply for access for %(name)s"),
        words=_("An administrator sets up what you apply for; then you check and approve it."),
    )


def create(request: HttpRequest, pk: int) -> HttpResponse:
    found = _found(request, pk)
    words = _("The roles are kept ready as the owner applied for them; none is held yet.")
    if found.person is None:
        words = _("The account is made with these roles, closed until its owner approves it.")
    return _act(
        request,
        found,
        RequestAct.CREATE,
        forms.NoteForm(_sent(request)),
        services.set_up_account,
        title=_("Set up the access of %(name)s"),
        words=words,
    )


def approve(request: HttpRequest, pk: int) -> HttpResponse:
    found = _found(request, pk)
    words = _("The roles hold from now on.")
    if found.person is not None and found.person.awaits_approval:
        words = _("The account opens, its roles hold, and the link to log in is mailed.")
    return _act(
        request,
        found,
        RequestAct.APPROVE,
        forms.NoteForm(_sent(request)),
        services.approve_account,
        title=_("Approve the access of %(name)s"),
        words=words,
    )


def refuse(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(
        request,
        _found(request, pk),
        RequestAct.REFUSE,
        ReasonForm(request.POST or None),
        services.refuse_request,
        title=_("Refuse the access of %(name)s"),
        words=_("That is the end of this request. Who asked is told, with your reason."),
        danger=True,
    )


def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(
        request,
        _found(request, pk),
        RequestAct.WITHDRAW,
        ReasonForm(request.POST or None),
        services.withdraw_request,
        title=_("Withdraw the request for %(name)s"),
        words=_("That is the end of this request."),
        danger=True,
    )


def _sent(request: HttpRequest) -> Any:
    """A form of which every field is optional may be sent empty."""
    return request.POST if request.method == "POST" else None


def _found(request: HttpRequest, pk: int) -> AccountRequest:
    return get_object_or_404(selectors.account_requests(_person(request)), pk=pk)


def _act(
    request: HttpRequest,
    found: AccountRequest,
    act: RequestAct,
    form: Any,
    service: Any,
    *,
    title: str,
    words: str,
    danger: bool = False,
) -> HttpResponse:
    if request.method != "POST" and act not in selectors.open_acts(_person(request), found):
        raise PermissionDenied  # when it is sent, the service says why
    return ask(
        request,
        form,
        lambda **values: service(actor=request.user, request_id=found.pk, **values),
        title=title % {"name": found.name},
        words=words,
        back=reverse("accounts:request", args=[found.pk]),
        danger=danger,
    )
