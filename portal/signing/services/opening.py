"""A right PIN opens the person's key; every try is counted.

Argon2 takes a good part of a second and much memory on purpose, so it never runs while a row is
locked: a try is *reserved* in a short transaction of its own, the key is opened, and the outcome is
written in another. A try counts from the moment it begins; many at once do not slip by the counter,
and one that is cut short counts. A right PIN starts the count anew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal import serverkeys
from portal.audit.services import Access, log_access, record
from portal.notifications.models import Notification
from portal.notifications.services import notify
from portal.records.context import acting, current_act
from portal.records.errors import Refused
from portal.records.services import locked
from portal.signing import crypto
from portal.signing.models import Signature, SigningKey
from portal.signing.register import fingerprint_of_pem
from portal.signing.statements import statement_of

logger = logging.getLogger(__name__)

TRIES = 5
LOCKED_FOR = timedelta(minutes=15)


class WrongPin(Refused):
    """The PIN does not open the person's key; the try is counted."""

    def __init__(self, message: str, *, code: str, tries_left: int) -> None:
        super().__init__(message, code=code)
        self.tries_left = tries_left


@dataclass(frozen=True)
class UnlockedKey:
    """A person's signing key opened by their PIN: for one act, in memory only."""

    method: ClassVar[crypto.ProofMethod] = crypto.ProofMethod.PIN

    user_id: int
    key_pk: int
    opened: crypto.OpenKey = field(repr=False)

    def prove(self, signature: Signature) -> bytes:
        """The RSA-PSS proof over the signature's statement."""
        return self.opened.sign(statement_of(signature).canonical())


def unlock(actor: Any, pin: str) -> UnlockedKey:
    """Open the person's own key, before the transaction in which it signs.

    ``WrongPin`` (``wrong_pin``) says how many tries are left; after `TRIES` the key is locked for
    `LOCKED_FOR` (``pin_locked``). Other codes: ``no_signing_key``, ``signing_key_broken``,
    ``server_key``, ``acting_as``. RuntimeError within a transaction: its rollback would forget a
    wrong try.
    """
    person = the_person(actor)
    in_own_role()
    with server_keys():
        pepper = serverkeys.load_pepper()
        serverkeys.load_countersign()  # better missed now than after a try was spent
    with counted_try(person) as key:
        opened = crypto.open_key(sealed_key(key), pin, pepper)
    return UnlockedKey(user_id=person.pk, key_pk=key.pk, opened=opened)


@contextmanager
def counted_try(person: Any) -> Iterator[SigningKey]:
    """The person's key, for one try at its PIN within the block, which is counted."""
    key = _reserve_try(person)
    try:
        yield key
    except crypto.WrongPin:
        raise _wrong_pin(person, key) from None
    except crypto.SealedKeyBroken as error:
        logger.exception("signing key %s cannot be opened", key.key_id)
        raise Refused(
            _("Your signing key is damaged. Revoke it and set a new PIN."),
            code="signing_key_broken",
        ) from error
    _count_anew(key)


def _reserve_try(person: Any) -> SigningKey:
    now = timezone.now()
    with transaction.atomic(durable=True), acting(actor=person):
        key = (
            SigningKey.objects.select_for_update(no_key=True, of=("self",))
            .filter(user=person)
            .pins()
            .in_use()
            .first()
        )
        if key is None:
            raise Refused(
                _("You have no signing PIN yet. Set one under “My signing”."),
                code="no_signing_key",
            )
        if key.locked_until is not None:
            if key.locked_until > now:
                raise _locked(key.locked_until)
            key.failures, key.locked_until = 0, None
        key.failures += 1
        if key.failures >= TRIES:
            key.locked_until = now + LOCKED_FOR
        key.save_without_historical_record(update_fields={"failures", "locked_until"})
    return key


def _wrong_pin(person: Any, tried: SigningKey) -> Refused:
    with transaction.atomic(durable=True), acting(actor=person):
        log_access(Access.REFUSED, tried, data={"what": "wrong signing PIN"})
        if tried.locked_until is not None:  # this try was the last
            until = {"until": tried.locked_until.isoformat()}
            record("signing.key_locked", tried, data={**key_facts(tried), **until})
            notify(
                person,
                _("Your signing PIN is locked for a while after several wrong tries."),
                url=reverse("signing:own"),
                level=Notification.Level.WARNING,
            )
            return _locked(tried.locked_until)
        left = TRIES - SigningKey.objects.get(pk=tried.pk).failures
    message = ngettext(
        "The signing PIN is wrong. %(left)d try is left.",
        "The signing PIN is wrong. %(left)d tries are left.",
        left,
    )
    return WrongPin(message % {"left": left}, code="wrong_pin", tries_left=left)


def _locked(until: datetime) -> WrongPin:
    message = _("Your signing PIN is locked until %(time)s after several wrong tries.")
    clock = timezone.localtime(until).strftime("%H:%M")
    return WrongPin(message % {"time": clock}, code="pin_locked", tries_left=0)


@transaction.atomic(durable=True)
def _count_anew(tried: SigningKey) -> None:
    key = locked(SigningKey.objects.all(), tried.pk)
    key.failures, key.locked_until, key.last_used_at = 0, None, timezone.now()
    key.save_without_historical_record(update_fields={"failures", "locked_until", "last_used_at"})


# --- parts ---------------------------------------------------------------------------------------


@contextmanager
def server_keys() -> Iterator[None]:
    """Say in words for people that a key of the server is missing; the log says which."""
    try:
        yield
    except serverkeys.ServerKeyError as error:
        logger.exception("signing is not possible")
        raise Refused(
            _("Signing is not possible now: a key of the server cannot be used. Call support."),
            code="server_key",
        ) from error


def the_person(actor: Any) -> Any:
    """Only a person signs, and only for themselves: never a service."""
    if not (isinstance(actor, get_user_model()) and actor.is_active):
        raise PermissionDenied("only a person signs")
    return actor


def in_own_role() -> None:
    """Who acts as somebody else would for support (PT-006) signs nothing and makes no key."""
    if current_act().acting_as:
        raise Refused(
            _("You are acting in another role. Go back to your own to sign."), code="acting_as"
        )


def key_facts(key: SigningKey) -> dict[str, Any]:
    """What the audit trail says of a key at each act with it: which, whose, what kind."""
    facts = {
        "key_id": key.key_id,
        "public_key_sha256": fingerprint_of_pem(key.public_pem),
        "method": str(key.method),
        "user": key.user_id,
    }
    if key.is_passkey:
        facts |= {"name": key.name, "rp_id": key.rp_id, "credential_id": key.credential_id}
    return facts


def sealed_key(key: SigningKey) -> crypto.SealedKey:
    """The row's key as the cryptography takes it."""
    return crypto.SealedKey(key.key_id, key.public_pem, key.sealed or {})
