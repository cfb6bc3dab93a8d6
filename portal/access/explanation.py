"""Why may X see Y? (PT-016): the decision's own reasons, or what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from portal.access.decision import held_by, reasons
from portal.access.models import Role, RoleGrant


@dataclass(frozen=True)
class Explanation:
    """Whether the person may, and why or why not, one line each."""

    allowed: bool
    lines: list[str]


def find_object(text: str) -> Model:
    """``app.model:id`` as the object. Raises ValueError with words for whoever typed it."""
    label, _colon, key = text.strip().partition(":")
    try:
        return apps.get_model(label)._base_manager.get(pk=key)  # noqa: SLF001
    except (LookupError, ValueError):
        if not _known(label):
            raise ValueError(_("There is no such kind of object.")) from None
        raise ValueError(_("The number is missing or is none.")) from None
    except ObjectDoesNotExist:
        raise ValueError(_("There is no object with this number.")) from None


def _known(label: str) -> bool:
    try:
        return bool(apps.get_model(label))
    except (LookupError, ValueError):
        return False


def explain(person: Any, privilege: str, obj: Model | None = None) -> Explanation:
    """The lines of ``reasons()`` when ``can()`` says yes, else what would have to be otherwise."""
    why = reasons(person, privilege, obj)
    if why:
        return Explanation(allowed=True, lines=why)
    return Explanation(allowed=False, lines=list(_missing(person, privilege, obj)))


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
    """Grants that are not in force today, and roles that would do."""
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
