"""Who may see Y? (PT-016): everybody who holds a privilege on one object today, and why."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import F, Model
from django.utils import timezone

from portal.access.decision import Held, Holding
from portal.access.explanation import Ground, grounds_of, origins
from portal.access.models import NamedPeople, RoleGrant
from portal.access.policies import ByException, follow
from portal.access.reach import ways

MOST_PEOPLE = 200
"""So many holders of the privilege are asked; a longer list would be read by nobody."""


@dataclass(frozen=True)
class WhoMay:
    """The people by name, each with every way in which they may; ``more`` were not asked."""

    people: list[tuple[Any, list[Ground]]]
    more: int


def who_may(privilege: str, obj: Model) -> WhoMay:
    """Whoever holds the privilege on the object in one of their profiles or other.

    Six queries, and where the privilege reaches by a relation one for each person asked.
    """
    policy = getattr(type(obj), "access", None)
    scope = policy.scopes.get(privilege) if policy else None
    record = follow(obj, policy.through) if policy else None
    if scope is None or record is None:
        return WhoMay([], 0)
    holdings = _holdings(privilege)
    excepted = _excepted(scope, privilege, record)
    keys = {*holdings, *(key for _pk, people in excepted.values() for key in people)}
    people = get_user_model().objects.filter(pk__in=keys, is_active=True).order_by("name", "pk")
    asked = list(people[:MOST_PEOPLE])
    # everybody's named people and grants at once
    every = [each for held in holdings.values() for each in held]
    named, origin = Held(None, every).named_people(), origins(every)
    found = []
    for person in asked:
        held = Held(person, holdings.get(person.pk, []), {NamedPeople: named})
        for table, (pk, those) in excepted.items():
            held.cache[table, privilege] = frozenset({pk} if person.pk in those else ())
        if ways_in := grounds_of(held, privilege, obj, origin):
            found.append((person, ways_in))
    return WhoMay(found, people.count() - len(asked) if len(asked) == MOST_PEOPLE else 0)


def _holdings(privilege: str) -> dict[int, list[Holding]]:
    """The roles in force that hold the privilege, by person; directly and through groups."""
    grants = RoleGrant.objects.in_force(timezone.localdate()).filter(
        role__privileges__contains=[privilege],
        unit__deleted_at__isnull=True,
        unit__closed_on__isnull=True,
    )
    columns = (
        "pk", "role__name", "role__module", "role__privileges", "unit__path", "unit__name",
        "below", "data_scope",
    )  # fmt: skip
    own = grants.filter(user__isnull=False).annotate(holder=F("user_id"))
    by_group = grants.filter(group__members__deleted_at__isnull=True).annotate(
        holder=F("group__members__user_id")
    )
    found = defaultdict(list)
    for rows in (own, by_group.filter(group__isnull=False)):
        for holder, pk, role, module, codes, *rest in rows.values_list("holder", *columns):
            if holder is not None:
                found[holder].append(Holding(pk, role, module, frozenset(codes), *rest))
    return found


def _excepted(scope: Any, privilege: str, record: Any) -> dict[Any, tuple[Any, set[int]]]:
    """By the table of guardian's rows: for which record, and who has one."""
    found: dict[Any, tuple[Any, set[int]]] = {}
    for way in ways(scope):
        if isinstance(way, ByException):
            target: Any = follow(record, way.lookup)
            rows = way.model()._default_manager.filter(  # noqa: SLF001
                permission__codename=privilege.split(".")[1], content_object=target
            )
            people = rows.values_list("user_id", flat=True) if target is not None else ()
            found[way.model] = getattr(target, "pk", None), set(people)
    return found
