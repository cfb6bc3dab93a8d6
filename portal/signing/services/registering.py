"""Registering a passkey: the person's own, made on a device that checks who uses it."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.utils.translation import gettext as _

from portal.audit.services import record
from portal.records.errors import Refused
from portal.records.services import writes
from portal.signing import passkeys
from portal.signing.models import Method, SigningKey
from portal.signing.register import KEY_CREATED
from portal.signing.services import challenges
from portal.signing.services.asking import known, passkeys_of
from portal.signing.services.challenges import Purpose
from portal.signing.services.opening import in_own_role, key_facts, the_person

MOST = 10
_CHALLENGE_BYTES = 32


def ask_registration(*, actor: Any, party: passkeys.RelyingParty, session: str) -> dict[str, Any]:
    """The options with which the browser has the person's device make a passkey.

    Refused: ``too_many``, ``acting_as``.
    """
    person = the_person(actor)
    in_own_role()
    keys = passkeys_of(person, party.rp_id)
    if len(keys) >= MOST:
        raise Refused(
            _("You have %(count)d passkeys already. Revoke one first.") % {"count": len(keys)},
            code="too_many",
        )
    challenge = secrets.token_bytes(_CHALLENGE_BYTES)
    challenges.keep(
        Purpose.REGISTER,
        person=person,
        session=session,
        challenge=challenge,
        what={"challenge": challenge.hex(), "origin": party.origin},
    )
    return passkeys.creation_options(
        party=party,
        site=settings.PORTAL_NAME,
        person_id=str(person.pk),
        name=person.get_username(),
        display_name=str(person),
        challenge=challenge,
        known=known(keys),
    )


def register_passkey(
    *, actor: Any, name: str, answer: str, party: passkeys.RelyingParty, session: str
) -> SigningKey:
    """Take the new passkey into the person's keys, and into the audit trail.

    Refused: ``name_needed``, ``challenge_gone``, ``passkey_refused``, ``passkey_known``,
    ``acting_as``.
    """
    person = the_person(actor)
    in_own_role()
    name = name.strip()
    if not name:
        raise Refused(_("Give the passkey a name."), code="name_needed")
    challenge = _asked(answer)
    challenges.take(Purpose.REGISTER, person=person, session=session, challenge=challenge)
    try:
        new = passkeys.check_registration(answer, challenge=challenge, party=party)
    except passkeys.PasskeyRefused as error:
        raise _refused() from error
    try:
        return _store(actor=person, name=name, new=new, rp_id=party.rp_id)
    except IntegrityError:
        raise Refused(_("This passkey is registered already."), code="passkey_known") from None


def _asked(answer: str) -> bytes:
    try:
        return passkeys.challenge_of_registration(answer)
    except passkeys.PasskeyRefused as error:
        raise _refused() from error


def _refused() -> Refused:
    return Refused(
        _("The passkey was not accepted: the device must check who you are."),
        code="passkey_refused",
    )


@writes
def _store(*, actor: Any, name: str, new: passkeys.NewPasskey, rp_id: str) -> SigningKey:
    key = SigningKey.objects.create(
        user=actor,
        method=Method.PASSKEY,
        name=name[: SigningKey._meta.get_field("name").max_length],  # noqa: SLF001
        key_id=new.key_id,
        public_pem=new.public_pem,
        credential_id=new.credential_id,
        cose=base64.b64encode(new.cose).decode(),
        rp_id=rp_id,
        transports=new.transports,
        sign_count=new.sign_count,
    )
    record(KEY_CREATED, key, data=key_facts(key))
    return key
