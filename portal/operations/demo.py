"""The demo's organisation and people; what the modules add is loaded through their declarations.

``load_demo`` makes the tree, then everybody's account, then calls each module's ``demo_data``,
then lets the directory's groups give their roles. A second call changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from portal.access.models import DirectoryGroup, Role
from portal.access.services import grant_role, sync_directory_roles
from portal.accounts.models import User
from portal.operations.configuration import (
    look_at,
    modules_with_clinical_settings,
    sign_configuration,
)
from portal.organisation.models import Unit
from portal.records.context import ServiceActor, acting
from portal.registry import registry
from portal.signing.services import has_pin, set_pin, unlock

LOADER = ServiceActor("demo")
CONFIGURATION_SIGNER = "demo-physicist"
EXTERNAL_ACCOUNT_LASTS = timedelta(days=365)

Kind = Unit.Kind
# (code, name, kind, what is below it)
TREE: tuple[Any, ...] = (
    "region",
    "Region Øresund",
    Kind.INSTITUTION,
    (
        (
            "hosp-north",
            "Nordhavn Universitetshospital",
            Kind.HOSPITAL,
            (
                (
                    "klinfys-north",
                    "Afdeling for Klinisk Fysiologi og Nuklearmedicin",
                    Kind.DEPARTMENT,
                    (
                        ("pet", "PET- og Cyklotronenheden", Kind.LABORATORY, ()),
                        ("nuk-a", "Nuklearmedicinsk Klinik, Nordhavn", Kind.DEPARTMENT, ()),
                    ),
                ),
                ("onk-north", "Onkologisk Afdeling", Kind.DEPARTMENT, ()),
            ),
        ),
        (
            "hosp-south",
            "Køge Bugt Sygehus",
            Kind.HOSPITAL,
            (
                ("nuk-b", "Nuklearmedicinsk Afdeling, Køge Bugt", Kind.DEPARTMENT, ()),
                ("ward-b3", "Medicinsk Sengeafsnit B3", Kind.WARD, ()),
            ),
        ),
        (
            "external",
            "Eksterne kunder",
            Kind.INSTITUTION,
            (("company-x", "Sundbyøster Dyreforsøg ApS", Kind.COMPANY, ()),),
        ),
    ),
)


@dataclass(frozen=True)
class DemoPerson:
    """Someone who can log in to the demo. Invented: no such person works at any hospital."""

    sub: str
    """Names the person in the demo; for staff also the subject in the identity provider."""
    regional_id: str
    """What staff are known by; '' for external people."""
    name: str
    email: str
    groups: tuple[str, ...] = ()
    """Names of directory groups (see :func:`map_groups`)."""
    role: str = ""
    """What the person is, in words, for the list of people to log in as."""
    pin: str | None = None
    """The signing PIN, for those who sign; set up when the account is made."""
    external: bool = False
    """A local account (user name is the mail address) instead of one in the directory."""
    password: str = ""
    """Of an external account."""


def people() -> list[DemoPerson]:
    """The portal's own: who administers access, watches services, reviews logs, signs settings."""
    return [
        DemoPerson(
            sub="demo-administrator",
            regional_id="REG0001",
            name="Birgitte Kjærsgaard",
            email="birgitte.kjaersgaard@demo.invalid",
            groups=("portal-administrators", "portal-key-administrators"),
            role="Portal administrator",
        ),
        DemoPerson(
            sub="demo-operator",
            regional_id="REG0002",
            name="Anders Toftegaard",
            email="anders.toftegaard@demo.invalid",
            groups=("portal-operators",),
            role="Operator: services, inbox, mail",
        ),
        DemoPerson(
            sub="demo-auditor",
            regional_id="REG0003",
            name="Ingrid Vestermark",
            email="ingrid.vestermark@demo.invalid",
            groups=("portal-auditors",),
            role="Auditor: audit trail and access log",
        ),
        DemoPerson(
            sub=CONFIGURATION_SIGNER,
            regional_id="REG0004",
            name="Torben Rasmussen",
            email="torben.rasmussen@demo.invalid",
            groups=("portal-configuration-signers",),
            role="Responsible physicist: signs configurations",
            pin="58271946",
        ),
    ]


def load(people: Mapping[str, User], units: Mapping[str, Unit]) -> None:
    """What the portal's own directory groups mean."""
    map_groups(
        {
            "portal-administrators": ("access.portal_administrator", "region"),
            "portal-key-administrators": ("signing.key_administrator", "region"),
            "portal-site-administrators": ("access.site_administrator", "region"),
            "portal-operators": ("operations.operator", "region"),
            "portal-auditors": ("audit.auditor", "region"),
            "portal-configuration-signers": ("operations.configuration_signer", "region"),
        }
    )


def map_groups(groups: Mapping[str, tuple[str, str]]) -> None:
    """Say what role at which unit each directory group means, and give it to its demo people.

    ``{"tracershop-production": ("tracershop.production_user", "pet")}``: group → code of the role
    and of the unit. External people of the group hold the role by a grant, staff by the directory.
    """
    for name, (role_code, unit_code) in groups.items():
        role, unit = Role.objects.get(code=role_code), Unit.objects.get(code=unit_code)
        if not DirectoryGroup.objects.filter(name=name, role=role, unit=unit).exists():
            DirectoryGroup.objects.create(name=name, role=role, unit=unit)
    for person in all_people():
        if set(person.groups) & set(groups):
            _give_roles(person)


def _give_roles(person: DemoPerson) -> None:
    user = _account(person)
    if user is None:
        return
    if not person.external:
        sync_directory_roles(user, person.groups)
        return
    for mapping in DirectoryGroup.objects.filter(name__in=person.groups):
        if not user.role_grants.filter(
            role=mapping.role, unit=mapping.unit, deleted_at__isnull=True
        ).exists():
            grant_role(actor=LOADER, user=user, role=mapping.role, unit=mapping.unit, reason="demo")


def all_people() -> list[DemoPerson]:
    """Everybody, the portal's own first."""
    found: list[DemoPerson] = []
    for module in registry.modules():
        if module.demo_people:
            found += import_string(module.demo_people)()
    return found


def as_rows(people: Iterable[DemoPerson]) -> list[dict[str, Any]]:
    """As ``demo_people --json`` prints them."""
    return [{**asdict(person), "groups": list(person.groups)} for person in people]


def load_all() -> None:
    """Make the demo, or what is missing of it."""
    with acting(actor=LOADER, reason="demo"):
        with transaction.atomic():
            units = load_tree()
        accounts = {person.sub: ensure_account(person) for person in all_people()}
        for module in registry.modules():
            if module.demo_data:
                import_string(module.demo_data)(accounts, units)
        for person in all_people():
            _give_roles(person)
    sign_configurations(accounts[CONFIGURATION_SIGNER])


def sign_configurations(signer: User) -> None:
    """The demo begins with signed configurations; what anybody changes later shows as changed."""
    pin = next(person.pin for person in people() if person.sub == CONFIGURATION_SIGNER)
    for module in modules_with_clinical_settings():
        look = look_at(module)
        if look.signed is None and look.present is not None:
            sign_configuration(
                actor=signer,
                module=module.label,
                seen_digest=look.digest,
                reason="The demo's settings, as they were made.",
                signer=unlock(signer, str(pin)),
            )


def load_tree() -> dict[str, Unit]:
    """The organisation, by unit code."""
    code, name, kind, below = TREE
    root = Unit.objects.filter(code=code).first()
    if root is None:
        root = Unit.add_root(instance=Unit(code=code, name=name, kind=kind))
    units = {code: root}
    _load_below(root, below, units)
    return units


def _load_below(parent: Unit, tree: Iterable[Any], units: dict[str, Unit]) -> None:
    for code, name, kind, below in tree:
        unit = Unit.objects.filter(code=code).first()
        if unit is None:
            # treebeard counts children on the object at hand
            fresh = Unit.objects.get(pk=parent.pk)
            unit = fresh.add_child(instance=Unit(code=code, name=name, kind=kind))
        units[code] = unit
        _load_below(unit, below, units)


def _account(person: DemoPerson) -> User | None:
    if person.external:
        return User.objects.filter(username=person.email).first()
    return User.objects.filter(subject=person.sub).first()


def ensure_account(person: DemoPerson) -> User:
    """The person's account, made where there is none; with the signing PIN, if one is to be."""
    user = _account(person)
    if user is None:
        user = User(name=person.name, email=person.email)
        if person.external:
            user.kind = User.Kind.EXTERNAL
            user.username = person.email
            user.expires_on = timezone.localdate() + EXTERNAL_ACCOUNT_LASTS
            user.set_password(person.password)
        else:
            user.kind = User.Kind.STAFF
            user.username = person.regional_id
            user.subject = person.sub
            user.set_unusable_password()
        user.save()
    if person.pin and not has_pin(user):
        set_pin(actor=user, pin=person.pin)
    return user
