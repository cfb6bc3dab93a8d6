"""Registering and revoking one's own passkeys."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.access.acts import ask
from portal.records.errors import Refused
from portal.signing import services, web
from portal.signing.forms import PasskeyForm, RevokePasskeyForm
from portal.signing.models import SigningKey
from portal.signing.views.own import done, log_in_first, logged_in_lately, may, page


@require_POST
def options(request: HttpRequest) -> HttpResponse:
    """What the browser asks the device that makes the passkey."""
    try:
        _require_fresh_login(request)
        asked = services.ask_registration(
            actor=request.user, party=web.party_of(request), session=web.session_of(request)
        )
    except Refused as refusal:
        return web.refused(refusal)
    return JsonResponse({"publicKey": asked})


@require_POST
def register(request: HttpRequest) -> HttpResponse:
    """Take the passkey that the device has made."""
    form = PasskeyForm(request.POST)
    if may(request, form) and done(
        form,
        lambda sent: services.register_passkey(
            actor=request.user,
            name=sent["name"],
            answer=sent["passkey"],
            party=web.party_of(request),
            session=web.session_of(request),
        ),
    ):
        messages.success(request, _("The passkey is registered. You can sign with it now."))
        return redirect("signing:own")
    return page(request, passkey_form=form)


def revoke(request: HttpRequest, key_id: str) -> HttpResponse:
    """Take a passkey of one's own out of use, for good."""
    own = SigningKey.objects.filter(user_id=request.user.pk).passkeys().in_use()
    key = get_object_or_404(own, key_id=key_id)

    def act(**said: Any) -> None:
        _require_fresh_login(request)
        services.revoke_key(actor=request.user, key_id=key.key_id, **said)

    return ask(
        request,
        RevokePasskeyForm(request.POST or None),
        act,
        title=_("Revoke the passkey “%(name)s”") % {"name": key.name},
        words=_(
            "It can never be used again. What you signed with it stays valid, except from the time"
            " that you give below."
        ),
        back=reverse("signing:own"),
        danger=True,
    )


def _require_fresh_login(request: HttpRequest) -> None:
    if not logged_in_lately(request):
        raise Refused(log_in_first(), code="log_in_again")
