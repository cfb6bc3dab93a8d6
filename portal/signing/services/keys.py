"""Signing keys: PINs set and changed, keys of either method revoked."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import serverkeys
from portal.access.decision import visible
from portal.audit.services import record
from portal.notifications.models import Notification
from portal.notifications.services import notify
from portal.records.errors import Refused
from portal.records.services import locked, writes
from portal.signing import crypto
from portal.signing.models import SigningKey
from portal.signing.reach import REVOKE
from portal.signing.register import KEY_CREATED, KEY_REVOKED
from portal.signing.services.opening import (
    counted_try,
    in_own_role,
    key_facts,
    sealed_key,
    server_keys,
    the_person,
)

_WEAK = {
    crypto.PinProblem.NOT_DIGITS: gettext_lazy("A signing PIN consists of digits only."),
    crypto.PinProblem.LENGTH: gettext_lazy("A signing PIN has 8 to 12 digits."),
    crypto.PinProblem.RUN: gettext_lazy(
        "Too easily guessed: five or more digits in a row are equal, rising or falling."
    ),
    crypto.PinProblem.REPETITION: gettext_lazy("Too easily guessed: the same digits are repeated."),
    crypto.PinProblem.SAME: gettext_lazy("The new PIN is the old one."),
}


def signing_key_of(user: Any) -> SigningKey | None:
    """The key under the person's signing PIN now."""
    return SigningKey.objects.filter(user=user).pins().in_use().first()


def has_pin(user: Any) -> bool:
    """Whether the person has set a signing PIN."""
    return signing_key_of(user) is not None


def set_pin(*, actor: Any, pin: str) -> SigningKey:
    """Make the person's first key, or the next after one was revoked.

    Refused: ``weak_pin``, ``has_signing_key``, ``server_key``, ``acting_as``.
    """
    person = the_person(actor)
    in_own_role()
    if has_pin(person):
        raise _has_key()
    _check_rules(pin)
    with server_keys():
        pepper = serverkeys.load_pepper()
    sealed = crypto.create_user_key(pin, pepper, parameters=_argon2())
    try:
        return _store_new_key(actor=person, sealed=sealed)
    except IntegrityError:  # set in another window meanwhile
        raise _has_key() from None


@writes
def _store_new_key(*, actor: Any, sealed: crypto.SealedKey) -> SigningKey:
    key = SigningKey.objects.create(
        user=actor,
        key_id=sealed.key_id,
        public_pem=sealed.public_pem,
        sealed=sealed.envelope,
    )
    record(KEY_CREATED, key, data=key_facts(key))
    return key


def change_pin(*, actor: Any, old_pin: str, new_pin: str) -> SigningKey:
    """Put the same key under another PIN; what it signed stays valid.

    Refused as `unlock` and ``weak_pin``; ``stale`` where the PIN was changed meanwhile.
    RuntimeError within a transaction, as `unlock`.
    """
    person = the_person(actor)
    in_own_role()
    _check_rules(new_pin)
    if new_pin == old_pin:
        raise Refused(_WEAK[crypto.PinProblem.SAME], code="weak_pin")
    with server_keys():
        pepper = serverkeys.load_pepper()
    with counted_try(person) as key:
        sealed = crypto.change_pin(sealed_key(key), old_pin, new_pin, pepper, parameters=_argon2())
    return _store_changed_pin(actor=person, was=key, sealed=sealed)


@writes
def _store_changed_pin(*, actor: Any, was: SigningKey, sealed: crypto.SealedKey) -> SigningKey:
    key = locked(SigningKey.objects.filter(user=actor).in_use(), was.pk)
    if key.sealed != was.sealed:
        raise Refused(_("The PIN was changed in another window."), code="stale")
    key.sealed = sealed.envelope
    key.save(update_fields={"sealed"})
    record("signing.pin_changed", key, data=key_facts(key))
    return key


@writes
def revoke_key(
    *, actor: Any, key_id: str, reason: str, doubtful_since: datetime | None = None
) -> SigningKey:
    """Take a key out of use for good: one's own, or one in reach of `REVOKE`.

    Signatures made before stay valid: the server counter-signed when they were made. Where somebody
    else may have used the key, ``doubtful_since`` says from when on they are not to be trusted.
    Refused: ``gone``, ``reason_needed``, ``doubtful_since``.
    """
    person = the_person(actor)
    in_reach = visible(person, SigningKey.objects.all(), REVOKE).values("pk")
    key = (
        SigningKey.objects.select_for_update(no_key=True, of=("self",))
        .filter(Q(user=person) | Q(pk__in=in_reach), key_id=key_id)
        .in_use()
        .first()
    )
    if key is None:
        raise Refused(_("This signing key does not exist or is revoked already."), code="gone")
    if not reason.strip():
        raise Refused(_("Say why the key is revoked."), code="reason_needed")
    now = timezone.now()
    if doubtful_since is not None and not key.created_at <= doubtful_since <= now:
        raise Refused(
            _("The time must lie between the making of the key and now."), code="doubtful_since"
        )
    key.revoked_at = doubtful_since or now
    key.save(update_fields={"revoked_at"})
    at = {"revoked_at": key.revoked_at.isoformat()}
    record(KEY_REVOKED, key, data={**key_facts(key), **at})
    if key.user_id != person.pk:
        notify(
            key.user,
            _("%(person)s revoked one of your signing keys: %(reason)s")
            % {"person": person, "reason": reason},
            url=reverse("signing:own"),
            level=Notification.Level.WARNING,
        )
    return key


# --- parts ---------------------------------------------------------------------------------------


def _has_key() -> Refused:
    return Refused(_("You have a signing PIN already."), code="has_signing_key")


def _check_rules(pin: str) -> None:
    try:
        crypto.check_pin_rules(pin)
    except crypto.WeakPin as error:
        raise Refused(_WEAK[error.problem], code="weak_pin") from None


def _argon2() -> crypto.Argon2Parameters:
    """The house's cost of one guess; ``PORTAL_ARGON2`` (memory in KiB) may change it."""
    chosen = dict(settings.PORTAL_ARGON2)
    if "memory_cost" in chosen:
        chosen["memory_cost_kib"] = chosen.pop("memory_cost")
    return replace(crypto.RFC_9106_SECOND, **chosen)
