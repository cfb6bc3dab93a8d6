"""*My signing PIN*: set, change, revoke; and what one has signed. Also the auditors' view."""

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

from portal.access.decision import require
from portal.accounts.models import LoginSession
from portal.records.errors import Refused
from portal.registry import registry
from portal.signing import services
from portal.signing.forms import ChangePinForm, RevokeForm, SetPinForm
from portal.signing.models import Signature, SignatureVerification

# A PIN is set or lost by the person who logged in, not by who found their screen open.
LOGIN_COUNTS_FOR = timedelta(minutes=10)
_ROWS = 20
_FIELD_OF = {"wrong_pin": "old_pin", "pin_locked": "old_pin", "weak_pin": "new_pin"}


@require_GET
@never_cache
def pin(request: HttpRequest) -> HttpResponse:
    """One's key, and one's signatures with what they are worth now."""
    return _page(request)


@sensitive_post_parameters()
@require_POST
def set_pin(request: HttpRequest) -> HttpResponse:
    """The first PIN, or the next after a key was revoked."""
    form = SetPinForm(request.POST)
    if _may(request, form) and _done(
        form, lambda pins: services.set_pin(actor=request.user, pin=pins["new_pin"])
    ):
        messages.success(request, _("Your signing PIN is set. You can sign now."))
        return redirect("signing:pin")
    return _page(request, set_form=form)


@sensitive_post_parameters()
@require_POST
def change_pin(request: HttpRequest) -> HttpResponse:
    """Another PIN for the same key."""
    form = ChangePinForm(request.POST)
    if _done(
        form,
        lambda pins: services.change_pin(
            actor=request.user, old_pin=pins["old_pin"], new_pin=pins["new_pin"]
        ),
    ):
        messages.success(request, _("Your signing PIN is changed."))
        return redirect("signing:pin")
    return _page(request, change_form=form)


@require_POST
def revoke_key(request: HttpRequest, key_id: str) -> HttpResponse:
    """Take one's key out of use: the PIN is forgotten, or somebody may know it."""
    form = RevokeForm(request.POST)
    if _may(request, form) and _done(
        form, lambda said: services.revoke_key(actor=request.user, key_id=key_id, **said)
    ):
        messages.success(request, _("Your signing key is revoked. Set a new PIN to sign again."))
        return redirect("signing:pin")
    return _page(request, revoke_form=form)


@require_POST
def log_in_again(request: HttpRequest) -> HttpResponse:
    """Log out, and come back here by logging in."""
    logout(request)
    return redirect_to_login(reverse("signing:pin"), resolve_url(settings.LOGIN_URL))


@require_GET
def verification(request: HttpRequest) -> HttpResponse:
    """What the nightly verifications found, for those who may read the audit trail."""
    require(request.user, "audit.browse_logs")
    runs = list(SignatureVerification.objects.all()[:30])
    return render(request, "signing/verification.html", {"runs": runs})


def _page(request: HttpRequest, **forms: Form) -> HttpResponse:
    key = services.signing_key_of(request.user)
    own = Signature.objects.filter(signer_id=request.user.pk).select_related("key", "supersession")
    page = Paginator(own, _ROWS).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "key": key,
        "locked": bool(key and key.locked_until and key.locked_until > timezone.now()),
        "fingerprint": services.fingerprint(key.public_pem) if key else "",
        "fresh_login": _logged_in_lately(request),
        "page": page,
        "rows": [_row(verdict) for verdict in services.verify_many(page.object_list)],
        # each form's own ids: there are up to three on the page
        "set_form": SetPinForm(auto_id="set_%s"),
        "change_form": ChangePinForm(auto_id="change_%s"),
        "revoke_form": RevokeForm(auto_id="revoke_%s"),
    }
    for name, form in forms.items():
        form.auto_id = f"{name.removesuffix('_form')}_%s"
        context[name] = form
    return render(request, "signing/pin.html", context, status=422 if forms else 200)


def _row(verdict: services.Verdict) -> dict[str, Any]:
    signable = registry.signable(verdict.signature.signable)
    return {
        "verdict": verdict,
        "signature": verdict.signature,
        "what": signable.label if signable else verdict.signature.signable,
    }


def _may(request: HttpRequest, form: Form) -> bool:
    if _logged_in_lately(request):
        return True
    form.add_error(None, _("Log in again first: your last log-in is too long ago for this."))
    return False


def _logged_in_lately(request: HttpRequest) -> bool:
    return LoginSession.objects.filter(
        user_id=request.user.pk or 0,
        session_key=request.session.session_key,
        ended_at__isnull=True,
        started_at__gt=timezone.now() - LOGIN_COUNTS_FOR,
    ).exists()


def _done(form: Form, act: Callable[[dict[str, Any]], object]) -> bool:
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
