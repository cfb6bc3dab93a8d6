"""Something to sign where no module is, and raw SQL behind the portal's back."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from portal import serverkeys
from portal.registry import Signable, registry
from portal.signing import crypto
from portal.signing.models import SigningKey
from portal.signing.services import keys, reads

PIN = "40718265"
UNIT = "tests.unit"
MEMBERSHIP = "tests.membership"
BROKEN = "tests.broken"


def give_pin(user: Any) -> SigningKey:
    """The person has the signing PIN `PIN`; the key is made once a run, for that takes its time."""
    return keys._store_new_key(actor=user, sealed=_ready_key(SigningKey.objects.count()))


@functools.cache
def _ready_key(_number: int) -> crypto.SealedKey:
    return crypto.create_user_key(PIN, serverkeys.load_pepper(), parameters=keys._argon2())


def unit_facts(unit: Any) -> dict[str, Any]:
    return {"name": unit.name, "code": unit.code, "closed_on": unit.closed_on}


@reads("unit", "user")
def membership_facts(membership: Any) -> dict[str, Any]:
    return {
        "title": membership.title,
        "unit": {"name": membership.unit.name},
        "person": membership.user.name,
        "starts_on": membership.starts_on,
    }


def no_facts(_: Any) -> dict[str, Any]:
    raise ZeroDivisionError


_DECLARED = {
    UNIT: Signable(UNIT, "A unit as it is", f"{__name__}.unit_facts"),
    MEMBERSHIP: Signable(MEMBERSHIP, "Who belongs where", f"{__name__}.membership_facts"),
    BROKEN: Signable(BROKEN, "What no longer works", f"{__name__}.no_facts"),
}


def declare_signables(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a module had declared them; the registry is closed once Django has started."""
    declared = registry.signable
    monkeypatch.setattr(registry, "signable", lambda code: _DECLARED.get(code) or declared(code))


@contextmanager
def triggers_disabled() -> Iterator[Any]:
    """A cursor that no trigger and no foreign key stands in the way of."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        try:
            yield cursor
        finally:
            cursor.execute("SET session_replication_role = origin")
