"""Why may X see Y? Who may see Y? (PT-016): the decision's own answer, put in words.

Each role that is held is asked alone, so it can be said which of them lets a person in, through
which group, in which profile and until when.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from portal.access.authority import is_root
from portal.access.decision import Held, Holding, can, held_by, reasons
from portal.access.models import Profile, Role, RoleGrant
from portal.access.policies import (
    AccessPolicy,
    Anywhere,
    ByDataScope,
    ByException,
    ByRelation,
    ByUnit,
    Scope,
    follow,
)
from portal.access.reach import unit_of, ways
from portal.access.standing import ACT_AS, Standing

EXPLAIN = "access.explain"
_MOST_PROFILES = 10


@dataclass(frozen=True)
class Ground:
    """One way in which a privilege is held: in words, and where it comes from."""

    words: str
    notes: list[str] = field(default_factory=list)
    unit_path: str = ""

    def __str__(self) -> str:
        return " – ".join([self.words, *self.notes])


@dataclass(frozen=True)
class InProfile:
    """The answer while the person stands in one profile ('' where they have none)."""

    profile: str
    allowed: bool
    grounds: list[Ground]
    missing: list[str]


@dataclass(frozen=True)
class Explanation:
    """Whether the person may, and why or why not, one line each; then profile by profile."""

    allowed: bool
    lines: list[str]
    profiles: list[InProfile]
    personal: list[Ground] | None
    """Why they see the object's personal data, [] if they do not; None where it has none."""
    acting: list[Ground]
    """Why they may act in another role here."""


def find_object(text: str) -> Model:
    """``app.model:id`` as the object. Raises ValueError with words for whoever typed it."""
    label, _colon, key = text.strip().partition(":")
    try:
        return apps.get_model(label)._base_manager.get(pk=key)  # noqa: SLF001
    except (LookupError, ValueError, TypeError):
        if not _known(label):
            raise ValueError(_("There is no such kind of object.")) from None
        raise ValueError(_("The number is missing or is none.")) from None
    except ObjectDoesNotExist:
        raise ValueError(no_such_object()) from None


def no_such_object() -> str:
    return _("There is no object with this number.")


def _known(label: str) -> bool:
    try:
        return bool(apps.get_model(label))
    except (LookupError, ValueError):
        return False


def may_ask_about(asker: Any, obj: Model) -> bool:
    """Whether the object belongs to a unit for which the asker explains, or is theirs to see."""
    unit = unit_of(obj)
    for holding in held_by(asker).of(EXPLAIN):
        if unit is not None and holding.reaches(unit.path):
            return True
        if unit is None and holding.below and is_root(holding.unit_path):
            return True
    policy = getattr(type(obj), "access", None)
    return policy is not None and any(can(asker, code, obj) for code in policy.view)


def explain(person: Any, privilege: str, obj: Model | None = None) -> Explanation:
    """Whether the person may, as ``can()`` decides, in each of their profiles, and why."""
    why = reasons(person, privilege, obj)
    lines = why or list(_missing(person, privilege, obj))
    policy = getattr(type(obj), "access", None)
    personal = policy.personal if isinstance(policy, AccessPolicy) else ""
    unit = None if obj is None else unit_of(obj)
    return Explanation(
        allowed=bool(why),
        lines=lines,
        profiles=[_in_profile(each, privilege, obj) for each in _standings(person)],
        personal=grounds(person, personal, obj) if personal else None,
        acting=grounds(person, ACT_AS, unit, through_unit=True),
    )


def _standings(person: Any) -> list[tuple[str, Any]]:
    """The person as they stand in each profile; the one used last comes first."""
    profiles = Profile.objects.filter(user=person).order_by("-last_used_at", "name")
    found = []
    for profile in profiles[:_MOST_PROFILES]:
        standing = copy(person)
        standing.__dict__.pop("_portal_held", None)
        standing.standing = Standing(profile_id=profile.pk)
        found.append((profile.name, standing))
    return found or [("", person)]


def _in_profile(standing: tuple[str, Any], privilege: str, obj: Model | None) -> InProfile:
    name, person = standing
    allowed = can(person, privilege, obj)
    return InProfile(
        profile=name,
        allowed=allowed,
        grounds=grounds(person, privilege, obj),
        missing=[] if allowed else list(_missing(person, privilege, obj)),
    )


# --- why ------------------------------------------------------------------------------------------


def grounds(
    person: Any, privilege: str, obj: Model | None, *, through_unit: bool = False
) -> list[Ground]:
    """Every way in which the person holds the privilege on the object, or anywhere.

    ``through_unit``: the object is a unit, at or above which the role has to be held.
    """
    if not person.is_active:
        return []
    held = held_by(person)
    if obj is not None and not through_unit:
        return grounds_of(held, privilege, obj)
    holdings = [h for h in held.of(privilege) if obj is None or h.reaches(obj.path)]  # type: ignore[attr-defined]
    origin = origins(holdings)
    return [_ground(_role_at(holding), holding, origin) for holding in holdings]


def grounds_of(
    held: Held, privilege: str, obj: Model, origin: Mapping[int, RoleGrant] | None = None
) -> list[Ground]:
    """Every way in which what is held reaches the object; ``origin`` are the grants, if known."""
    policy = getattr(type(obj), "access", None)
    record = follow(obj, policy.through) if policy else None
    if policy is None or record is None:
        return []
    holdings = held.of(privilege)
    if any(holding.data_scope == RoleGrant.DataScope.PEOPLE for holding in holdings):
        held.named_people()  # read once, and kept for the single roles below
    found = [
        each
        for way in ways(policy.scopes.get(privilege))
        for each in _through(way, held, privilege, record)
    ]
    known = origins([h for _words, h in found if h]) if origin is None else origin
    return [
        _ground(words, holding, known) if holding else Ground(words) for words, holding in found
    ]


def _through(
    way: Scope, held: Held, privilege: str, record: Any
) -> Iterator[tuple[str, Holding | None]]:
    if isinstance(way, ByException):
        if way.reasons(held, privilege, record):
            target = follow(record, way.lookup)
            yield _("exception for %(object)s") % {"object": target}, None
        return
    for holding in held.of(privilege):
        alone = Held(held.user, [holding], held.cache)
        if said := way.reasons(alone, privilege, record):
            yield _words(way, holding, record, said), holding


def _words(way: Scope, holding: Holding, record: Any, said: list[str]) -> str:
    if isinstance(way, ByRelation):
        return f"{_role_at(holding)}: {way.words} {follow(record, way.lookup)}"
    if isinstance(way, ByDataScope):
        return f"{_role_at(holding)}: {RoleGrant.DataScope(holding.data_scope).label}"
    if isinstance(way, (ByUnit, Anywhere)):
        return _role_at(holding)
    return said[0]  # a scope of a module's own


def _role_at(holding: Holding) -> str:
    return _("role %(role)s at %(unit)s") % {"role": holding.role, "unit": holding.unit_name}


def _ground(words: str, holding: Holding, origin: Mapping[int, RoleGrant]) -> Ground:
    grant, notes = origin.get(holding.grant_id), []
    if grant is None:  # for support: nobody granted it
        return Ground(words, [_("acting in this role")], holding.unit_path)
    if grant.group:
        notes.append(_("through group %(group)s") % {"group": grant.group})
    if grant.profile:
        notes.append(_("in profile %(profile)s") % {"profile": grant.profile})
    if grant.source == RoleGrant.Source.DIRECTORY:
        notes.append(_("from the directory"))
    if grant.ends_on:
        day = date_format(grant.ends_on, "SHORT_DATE_FORMAT")
        notes.append(_("until and including %(day)s") % {"day": day})
    return Ground(words, notes, holding.unit_path)


def origins(holdings: Iterable[Holding]) -> dict[int, RoleGrant]:
    """The grants of what is held, with the groups and profiles through which it is."""
    keys = [holding.grant_id for holding in holdings]
    return RoleGrant.objects.select_related("group", "profile").in_bulk(keys) if keys else {}


# --- why not --------------------------------------------------------------------------------------


def _missing(person: Any, privilege: str, obj: Model | None) -> list[str]:
    if not person.is_active:
        return [_("The account is closed or suspended: nothing is allowed.")]
    if obj is not None:
        policy = getattr(type(obj), "access", None)
        if policy is None or privilege not in policy.scopes:
            return [_("This privilege does not reach objects of this kind, for anybody.")]
    holdings = held_by(person).of(privilege)
    if not holdings:
        return [
            _("No role of this person in force holds the privilege."),
            *_remedies(person, privilege),
        ]
    return [
        _("Role %(role)s at %(unit)s holds it, but does not reach this object.")
        % {"role": holding.role, "unit": holding.unit_name}
        for holding in holdings
    ]


def _remedies(person: Any, privilege: str) -> list[str]:
    """Grants that are not in force today or in this profile, and roles that would do."""
    today = timezone.localdate()
    lines = []
    dormant = (
        RoleGrant.objects.of_person(person)
        .filter(role__privileges__contains=[privilege])
        .filter(Q(starts_on__gt=today) | Q(ends_on__lt=today))
        .select_related("role", "unit")
    )
    for grant in dormant:
        begins = grant.starts_on is not None and grant.starts_on > today
        words = _("begins on %(day)s") if begins else _("was over on %(day)s")
        day = date_format(grant.starts_on if begins else grant.ends_on, "SHORT_DATE_FORMAT")
        lines.append(f"{grant.role} – {grant.unit}: {words % {'day': day}}")
    having = Role.objects.filter(privileges__contains=[privilege]).order_by("name")
    if names := ", ".join(str(role) for role in having):
        lines.append(_("Roles that hold it: %(roles)s") % {"roles": names})
    return lines
