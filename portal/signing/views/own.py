"""*My signing*: passkeys, the PIN, and what one has signed with what it is worth now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from portal.accounts.models import LoginSession
from portal.records.context import current_act
from portal.records.errors import Refused
from portal.registry import registry
from portal.signing import services, web
from portal.signing.forms import ChangePinForm, PasskeyForm, RevokeForm, SetPinForm
from portal.signing.models import Signature
from portal.signing.register import fingerprint_of_pem
from portal.signing.selectors import keys_of

# A key is made or lost by the person who logged in, not by who found their screen open.
LOGIN_COUNTS_FOR = timedelta(minutes=10)
_ROWS = 20
_FIELD_OF = {
    "wrong_pin": "old_pin",
    "pin_locked": "old_pin",
    "weak_pin": "new_pin",
    "name_needed": "name",
}


@require_GET
@never_cache
def own(request: HttpRequest) -> HttpResponse:
    """One's keys, and one's signatures with what they are worth now."""
    return page(request)


@sensitive_post_parameters()
@require_POST
def set_pin(request: HttpRequest) -> HttpResponse:
    """The first PIN, or the next after a key was revoked."""
    form = SetPinForm(request.POST)
    if may(request, form) and done(
        form, lambda pins: services.set_pin(actor=request.user, pin=pins["new_pin"])
    ):
        messages.success(request, _("Your signing PIN is set. You can sign now."))
        return redirect("signing:own")
    return page(request, set_form=form)


@sensitive_post_parameters()
@require_POST
def change_pin(request: HttpRequest) -> HttpResponse:
    """Another PIN for the same key."""
    form = ChangePinForm(request.POST)
    if done(
        form,
        lambda pins: services.change_pin(
            actor=request.user, old_pin=pins["old_pin"], new_pin=pins["new_pin"]
        ),
    ):
        messages.success(request, _("Your signing PIN is changed."))
        return redirect("signing:own")
    return page(request, change_form=form)


@require_POST
def revoke_key(request: HttpRequest, key_id: str) -> HttpResponse:
    """Take one's key out of use: the PIN is forgotten, or somebody may know it."""
    form = RevokeForm(request.POST)
    if may(request, form) and done(
        form, lambda said: services.revoke_key(actor=request.user, key_id=key_id, **said)
    ):
        messages.success(request, _("Your signing key is revoked. Set a new PIN to sign again."))
        return redirect("signing:own")
    return page(request, revoke_form=form)


@require_POST
def log_in_again(request: HttpRequest) -> HttpResponse:
    """Log out, and come back here by logging in."""
    logout(request)
    return redirect_to_login(reverse("signing:own"), resolve_url(settings.LOGIN_URL))


def page(request: HttpRequest, **forms: Form) -> HttpResponse:
    """*My signing*, with what was filled in and refused."""
    keys = keys_of(request.user)
    key = next((each for each in keys if not each.is_passkey), None)
    signed = Signature.objects.filter(signer_id=request.user.pk)
    rows = Paginator(signed.select_related("key", "supersession"), _ROWS)
    shown = rows.get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "key": key,
        "passkeys": [each for each in keys if each.is_passkey],
        "locked": bool(key and key.locked_until and key.locked_until > timezone.now()),
        "fingerprint": fingerprint_of_pem(key.public_pem) if key else "",
        "fresh_login": logged_in_lately(request),
        "acting_as": current_act().acting_as,
        **_passkeys_here(request),
        "page": shown,
        "rows": [_row(verdict) for verdict in services.verify_many(shown.object_list)],
        # each form's own ids: there are several on the page
        "passkey_form": PasskeyForm(auto_id="passkey_%s"),
        "set_form": SetPinForm(auto_id="set_%s"),
        "change_form": ChangePinForm(auto_id="change_%s"),
        "revoke_form": RevokeForm(auto_id="revoke_%s"),
    }
    for name, form in forms.items():
        form.auto_id = f"{name.removesuffix('_form')}_%s"
        context[name] = form
    return render(request, "signing/own.html", context, status=422 if forms else 200)


def _passkeys_here(request: HttpRequest) -> dict[str, Any]:
    try:
        return {"here": web.party_of(request).rp_id}
    except Refused as refusal:
        return {"no_passkeys": str(refusal.message), "by_name": web.by_name(request)}


def _row(verdict: services.Verdict) -> dict[str, Any]:
    signable = registry.signable(verdict.signature.signable)
    return {
        "verdict": verdict,
        "signature": verdict.signature,
        "what": signable.label if signable else verdict.signature.signable,
    }


def may(request: HttpRequest, form: Form) -> bool:
    """Whether the person has just logged in; else the form says that they must."""
    if logged_in_lately(request):
        return True
    form.add_error(None, log_in_first())
    return False


def log_in_first() -> str:
    return _("Log in again first: your last log-in is too long ago for this.")


def logged_in_lately(request: HttpRequest) -> bool:
    """Whether this session began within `LOGIN_COUNTS_FOR`."""
    return LoginSession.objects.filter(
        user_id=request.user.pk or 0,
        session_key=request.session.session_key,
        ended_at__isnull=True,
        started_at__gt=timezone.now() - LOGIN_COUNTS_FOR,
    ).exists()


def done(form: Form, act: Callable[[dict[str, Any]], object]) -> bool:
    """Do the act with a valid form; what the service refuses is said beside its field."""
    if not form.is_valid():
        return False
    try:
        act(form.cleaned_data)
    except Refused as refused:
        field = _FIELD_OF.get(refused.code)
        form.add_error(field if field in form.fields else None, str(refused))
        return False
    return True
