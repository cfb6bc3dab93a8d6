"""Who works with Tracershop in the demo. All of them are invented."""

from __future__ import annotations

from base64 import b32encode
from typing import Any

from django_otp.plugins.otp_totp.models import TOTPDevice

from portal.access.models import Role
from portal.access.profiles import profiles_of
from portal.access.services import grant_role
from portal.access.services.profiles import make_profile
from portal.operations.demo import LOADER, DemoPerson
from portal.organisation.models import Unit

GROUPS = {
    "tracershop-shop-nordhavn": ("tracershop.shop_internal", "nuk-a"),
    "tracershop-shop-koege": ("tracershop.shop_internal", "nuk-b"),
    "tracershop-superuser": ("tracershop.shop_superuser", "nuk-a"),
    "tracershop-production": ("tracershop.production_user", "region"),
    "tracershop-production-admin": ("tracershop.production_admin", "region"),
    "tracershop-site-admin": ("tracershop.site_admin", "region"),
    "tracershop-external": ("tracershop.shop_external", "company-x"),
}
"""Directory group → role, and the unit at which (and below which) it is held."""

EXTERNAL_PASSWORD = "Havnebad-Lygte-47"
TOTP_KEY = b"tracershop-demo-only".hex()
"""Of the external person's authenticator app: fixed, since nobody can scan it before the demo."""
TOTP_SECRET = b32encode(bytes.fromhex(TOTP_KEY)).decode("ascii")


def people() -> list[DemoPerson]:
    """The shop's and production's people; who releases has a signing PIN."""
    return [
        _staff(
            "secretary", "TS1001", "Mette Dalgaard", "shop-nordhavn",
            "Shop: ward secretary; works in two profiles",
        ),
        _staff("superuser", "TS1002", "Lone Krogh", "superuser", "Shop superuser: maps bookings"),
        _staff("secretary-south", "TS1003", "Bodil Iversen", "shop-koege", "Shop: Køge Bugt"),
        _staff(
            "radiochemist", "TS2001", "Karen Brandt", "production",
            "Production: radiochemist, certified", "40718265",
        ),
        _staff(
            "radiochemist-fdg", "TS2002", "Thomas Ejlersen", "production",
            "Production: certified for FDG, expires soon", "73920516",
        ),
        _staff(
            "trainee", "TS2003", "Jens Friis", "production",
            "Production: not certified", "58203961",
        ),
        _staff(
            "production-admin", "TS2004", "Asta Winther", "production-admin",
            "Production admin, certified", "91640372",
        ),
        _staff(
            "site-admin", "TS2005", "Henrik Sandholt", "site-admin",
            "Tracershop's site admin; may act in other roles for support",
            also=("portal-site-administrators",),
        ),
        DemoPerson(
            sub="demo-external",
            regional_id="",
            name="Ole Fog",
            email="ole.fog@demo.invalid",
            groups=("tracershop-external",),
            role=(
                "Shop, external: local account ole.fog@demo.invalid, password"
                f" {EXTERNAL_PASSWORD}, authenticator secret {TOTP_SECRET}"
            ),
            external=True,
            password=EXTERNAL_PASSWORD,
        ),
    ]  # fmt: skip


def _staff(
    sub: str,
    regional_id: str,
    name: str,
    group: str,
    role: str,
    pin: str | None = None,
    also: tuple[str, ...] = (),
) -> DemoPerson:
    return DemoPerson(
        sub=f"demo-{sub}",
        regional_id=regional_id,
        name=name,
        email=f"{name.lower().replace(' ', '.')}@demo.invalid",
        groups=(f"tracershop-{group}", *also),
        role=role,
        pin=pin,
    )


def pin_of(sub: str) -> str:
    """The signing PIN of a demo person who has one."""
    return next(person.pin for person in people() if person.sub == sub and person.pin)


def prepare_people(accounts: dict[str, Any]) -> None:
    """What people have besides their directory roles."""
    _give_profiles(accounts["demo-secretary"])
    _give_authenticator(accounts["demo-external"])


def _give_profiles(user: Any) -> None:
    """She works at Nordhavn, and stands in at Køge Bugt in a profile of that name."""
    if profiles_of(user).exists():
        return
    nuk_a, nuk_b = (Unit.objects.get(code=code) for code in ("nuk-a", "nuk-b"))
    values = {"actor": LOADER, "user": user, "reason": "demo"}
    make_profile(name="Lægesekretær, Nordhavn", unit=nuk_a, **values)
    stand_in = make_profile(name="Vikar, Køge Bugt", unit=nuk_b, **values)
    role = Role.objects.get(code="tracershop.shop_internal")
    grant_role(role=role, unit=nuk_b, profile=stand_in, **values)


def _give_authenticator(user: Any) -> None:
    """The external person's authenticator app, unless an administrator has reset it since."""
    if user.last_login is None and not TOTPDevice.objects.filter(user=user).exists():
        TOTPDevice.objects.create(user=user, name="authenticator app", key=TOTP_KEY)
