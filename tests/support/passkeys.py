"""People with passkeys, registered and used as their browsers would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portal.signing import services
from portal.signing.models import SigningKey
from portal.signing.passkeys import RelyingParty
from tests.support.authenticators import ORIGIN, SoftAuthenticator

PARTY = RelyingParty("localhost", ORIGIN)
SESSION = "a-session"


def give_passkey(user: Any, authenticator: SoftAuthenticator, name: str = "Phone") -> SigningKey:
    """The person registers the authenticator's credential."""
    options = services.ask_registration(actor=user, party=PARTY, session=SESSION)
    return services.register_passkey(
        actor=user,
        name=name,
        answer=authenticator.create(options),
        party=PARTY,
        session=SESSION,
    )


def ask(user: Any, act: Callable[[services.Signer], object]) -> dict[str, Any]:
    """What the person's browser is asked, so that they sign with a passkey what ``act`` does."""
    return services.ask_passkey(actor=user, act=act, party=PARTY, session=SESSION)


def accept(user: Any, answer: str) -> services.PasskeyProof:
    return services.accept_passkey(user, answer, party=PARTY, session=SESSION)


def signer(
    user: Any, authenticator: SoftAuthenticator, act: Callable[[services.Signer], object]
) -> services.PasskeyProof:
    """The person's passkey, checked, for this one act."""
    return accept(user, authenticator.get(ask(user, act)))
