"""What a module's view needs to let its user sign, by passkey or PIN::

    def release(request):
        def act(signer):
            return release_orders(actor=request.user, …, signer=signer)

        if asks_for_passkey(request):
            return passkey_options(request, act)
        outcome = act(signer_of(request))

The form has `signing/_sign_fields.html` in it; the button that signs has the attribute
``data-signs``. `themes/base/js/passkeys.js` asks first, then sends the form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from portal.records.context import current_act
from portal.records.errors import Refused
from portal.signing import passkeys, services

ASKED, ANSWER = "passkey_asked", "passkey"


def asks_for_passkey(request: HttpRequest) -> bool:
    """Whether the form was sent to learn what the passkey is to sign, and not to act."""
    return request.method == "POST" and ASKED in request.POST


def passkey_options(request: HttpRequest, act: Callable[[services.Signer], object]) -> HttpResponse:
    """What the browser asks the person's device; what the act refuses, as JSON with status 422."""
    try:
        options = services.ask_passkey(
            actor=request.user, act=act, party=party_of(request), session=session_of(request)
        )
    except Refused as refusal:
        return refused(refusal)
    return JsonResponse({"publicKey": options})


def signer_of(request: HttpRequest) -> services.Signer:
    """What signs: the passkey's answer where one was sent, else the PIN. Refused as these."""
    if answer := request.POST.get(ANSWER):
        return services.accept_passkey(
            request.user, answer, party=party_of(request), session=session_of(request)
        )
    return services.unlock(request.user, request.POST.get("pin", ""))


@dataclass(frozen=True)
class Ways:
    """How a person can sign on this page."""

    pin: bool
    passkeys: int
    """How many that work at this address."""
    elsewhere: tuple[str, ...]
    """Host names where other passkeys of theirs work."""
    acting_as: str
    """The other role they act in; then there is no way."""

    def __bool__(self) -> bool:
        return (self.pin or self.passkeys > 0) and not self.acting_as


def ways_to_sign(request: HttpRequest) -> Ways:
    """How the person who asks can sign; two queries."""
    keys = services.passkeys_of(request.user)
    try:
        here = party_of(request).rp_id
    except Refused:
        here = ""
    return Ways(
        pin=services.has_pin(request.user),
        passkeys=sum(key.rp_id == here for key in keys),
        elsewhere=tuple(sorted({key.rp_id for key in keys if key.rp_id != here})),
        acting_as=current_act().acting_as,
    )


def party_of(request: HttpRequest) -> passkeys.RelyingParty:
    """The relying party that this page is: its own host, which ALLOWED_HOSTS has let through.

    Refused: ``no_passkeys_here``, in words that say what to do.
    """
    try:
        return passkeys.relying_party(request.scheme or "", request.get_host())
    except passkeys.NoPasskeysHere as error:
        words = {
            passkeys.NoPasskeys.ADDRESS: _(
                "Passkeys do not work here: the portal was opened by a number (%(host)s) and not by"
                " its name."
            ),
            passkeys.NoPasskeys.INSECURE: _(
                "Passkeys do not work here: the portal was opened at %(host)s without encryption"
                " (https)."
            ),
        }
        raise Refused(
            words[error.why] % {"host": request.get_host()}, code="no_passkeys_here"
        ) from None


def by_name(request: HttpRequest) -> str:
    """This page's address at `localhost`, where passkeys work; "" if it was not 127.0.0.1."""
    host, _colon, port = request.get_host().rpartition(":")
    if host not in ("127.0.0.1", "[::1]"):
        return ""
    return f"{request.scheme}://localhost:{port}{request.path}"


def session_of(request: HttpRequest) -> str:
    """The session that a challenge is bound to."""
    return request.session.session_key or ""


def refused(refusal: Refused) -> JsonResponse:
    """A refusal for the page's script to show."""
    told: dict[str, Any] = {
        "message": str(refusal.message),
        "details": [str(detail) for detail in refusal.details],
    }
    return JsonResponse(told, status=422)
