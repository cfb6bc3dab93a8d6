"""The second factor of external people: a code of their authenticator app (TOTP, RFC 6238)."""

from __future__ import annotations

from base64 import b32encode
from dataclasses import dataclass
from typing import Any

import segno
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_totp.models import TOTPDevice

from portal.accounts.models import User
from portal.audit.services import record
from portal.records.errors import Refused
from portal.records.services import writes


@dataclass(frozen=True)
class Enrolment:
    """What the person needs to see once: the QR code as SVG, and the key to type instead."""

    svg: str
    key: str


def has_second_factor(user: User) -> bool:
    return TOTPDevice.objects.filter(user=user, confirmed=True).exists()


@transaction.atomic
def begin_enrolment(user: User) -> Enrolment:
    """The key that waits for its first code; the same one until it is confirmed."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    device, _new = TOTPDevice.objects.get_or_create(
        user=user, confirmed=False, defaults={"name": "authenticator app"}
    )
    code = segno.make(device.config_url, error="m")
    key = b32encode(device.bin_key).decode("ascii")
    return Enrolment(
        # black on white in dark mode too: phones do not read the reverse
        svg=code.svg_inline(scale=5, border=3, dark="#000000", light="#ffffff"),
        key=" ".join(key[i : i + 4] for i in range(0, len(key), 4)),
    )


@writes
def confirm_enrolment(*, actor: User, code: str) -> TOTPDevice | None:
    """Take the waiting key into use if ``code`` is its code; None when it is not.

    Raises Refused(code="enrolled") when there is a second factor already: only an administrator's
    reset makes room for another.
    """
    User.objects.select_for_update(no_key=True).get(pk=actor.pk)
    if has_second_factor(actor):
        raise Refused(_("There is a second factor already."), code="enrolled")
    device = _checked(TOTPDevice.objects.filter(user=actor, confirmed=False), code)
    if device is not None:
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        record("accounts.second_factor_enrolled", actor)
    return device


@transaction.atomic
def check_second_factor(user: User, code: str) -> TOTPDevice | None:
    """The device whose code this is; None when it is wrong, used already, or tried too soon."""
    return _checked(TOTPDevice.objects.filter(user=user, confirmed=True), code)


def _checked(devices: Any, code: str) -> TOTPDevice | None:
    device = devices.select_for_update(no_key=True).order_by("pk").first()
    code = "".join(code.split())
    if device is None or not (code.isascii() and code.isdigit()):
        return None
    return device if device.verify_token(code) else None
