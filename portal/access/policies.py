"""How a privilege reaches rows. A model states it once::

    class Order(Record):
        access = AccessPolicy(
            view=("tracershop.see_all_orders", "tracershop.see_own_orders"),
            scopes={"tracershop.see_all_orders": ByUnit("customer__unit"), …},
        )

A scope answers twice, as SQL (``q``) and for one object (``reasons``); tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Protocol, TypeVar

from django.db.models import Model, Q, QuerySet

from portal.access.decision import Held, Holding
from portal.access.standing import acts_in_other_role

M = TypeVar("M", bound=Model)
_MANY = 1000


class Scope(Protocol):
    def q(self, held: Held, privilege: str) -> Q | None:
        """Condition for the rows in reach; None for no row."""
        ...

    def reasons(self, held: Held, privilege: str, obj: Model) -> list[str]:
        """Why this object is in reach, [] when it is not."""
        ...


@dataclass(frozen=True)
class AccessPolicy:
    """``view``: privileges that let a person see rows; ``scopes``: how each privilege reaches.

    With ``through``, a lookup from the row to a record that belongs to few (an order's customer),
    the scopes are those of that record, and the row is in reach when it is. Large tables need this:
    the few are found first, and then their rows by the index (measured: tests/bench).

    ``personal`` is the privilege that shows the model's personal fields (portal.access.masking).

    ``restore`` is the privilege to bring soft-deleted rows back, on the page *Removed*; without one
    nobody may. ``after_restore`` is a dotted ``(record) -> None`` for what else comes back with it:
    called in the same transaction, it refuses (``Refused``) what its module's rules forbid.

    ``sealed`` says of a row whether nobody but who may see it may look at its history: those who
    browse the logs do not either, as long as it is so.
    """

    view: tuple[str, ...]
    scopes: Mapping[str, Scope]
    through: str = ""
    personal: str = ""
    restore: str = ""
    after_restore: str = ""
    sealed: Callable[[Any], bool] | None = None

    def __post_init__(self) -> None:
        if self.personal and self.personal not in self.scopes:
            msg = f"{self.personal} shows personal data, but no scope says where"
            raise ValueError(msg)
        if self.restore and self.restore not in self.scopes:
            msg = f"{self.restore} restores rows, but no scope says where"
            raise ValueError(msg)

    def reasons(self, held: Held, privilege: str, obj: Model) -> list[str]:
        """Why ``obj`` is in reach of the privilege, [] when it is not."""
        scope, record = self.scopes.get(privilege), follow(obj, self.through)
        return scope.reasons(held, privilege, record) if scope and record is not None else []

    def conditions(self, held: Held, privileges: Iterable[str]) -> list[Q]:
        """One condition for each way to be in reach; an empty one is every row, no one none."""
        ways = [(code, way) for code in privileges for way in _ways(self.scopes.get(code))]
        return [q for code, way in ways if (q := way.q(held, code)) is not None]

    def narrowed(self, queryset: QuerySet[M], conditions: Sequence[Q]) -> QuerySet[M]:
        """The rows that fulfil any of the conditions."""
        return queryset.filter(self.of_row(queryset.model, reduce(or_, conditions)))

    def of_row(self, model: type[Model], condition: Q) -> Q:
        """The condition on the record that the row goes through, said of the row."""
        if not (self.through and condition):
            return condition
        records = _model_at(model, self.through)._base_manager  # noqa: SLF001
        return Q(**{f"{self.through}__in": records.filter(condition).values("pk")})


def _ways(scope: Scope | None) -> Iterator[Scope]:
    if isinstance(scope, AnyOf):
        for each in scope.scopes:
            yield from _ways(each)
    elif scope is not None:
        yield scope


def _model_at(model: type[Model], lookup: str) -> type[Model]:
    for name in lookup.split("__"):
        model = model._meta.get_field(name).related_model  # type: ignore[assignment]  # noqa: SLF001
    return model


def follow(obj: Any, lookup: str) -> Any:
    """``follow(order, "endpoint__customer")`` is ``order.endpoint.customer``; '' is the object."""
    for name in filter(None, lookup.split("__")):
        obj = getattr(obj, name, None)
    return obj


def _one_of(lookup: str, found: Collection[Any], query: Callable[[], Any]) -> Q | None:
    """The row's ``lookup`` is one of the keys found; a query for them where they are many.

    Keys that the planner can count make a good plan; of a subquery beside OR it guesses that every
    second row is in it, and reads the whole table.
    """
    if not found:
        return None
    return Q(**{f"{lookup or 'pk'}__in": sorted(found) if len(found) <= _MANY else query()})


@dataclass(frozen=True)
class ByUnit:
    """The role is held at the row's unit or above. ``lookup`` leads from the row to its unit."""

    lookup: str

    def q(self, held: Held, privilege: str) -> Q | None:
        path = f"{self.lookup}__path" if self.lookup else "path"
        units = [
            Q(**{f"{path}__startswith" if holding.below else path: holding.unit_path})
            for holding in held.of(privilege)
        ]
        return reduce(or_, units) if units else None

    def reasons(self, held: Held, privilege: str, obj: Model) -> list[str]:
        unit = follow(obj, self.lookup)
        if unit is None:
            return []
        return [
            f"role {holding.role} at {holding.unit_name}"
            for holding in held.of(privilege)
            if holding.reaches(unit.path)
        ]


@dataclass(frozen=True)
class ByDataScope:
    """The row's unit is in reach, and so is who entered it: the grant's data scope says (PT-015).

    ``owner`` leads from the row to the person who entered it, ``unit`` to its unit. All rows of one
    study are an exception for it: ``AnyOf((ByDataScope(…), ByException(…, "study")))``.
    """

    owner: str
    unit: str

    def q(self, held: Held, privilege: str) -> Q | None:
        path = f"{self.unit}__path"
        ways = []
        for holding in held.of(privilege):
            way = Q(**{f"{path}__startswith" if holding.below else path: holding.unit_path})
            if (people := self._people(held, holding)) is not None:
                way &= Q(**{f"{self.owner}__in": sorted(people)})
            ways.append(way)
        return reduce(or_, ways) if ways else None

    def _people(self, held: Held, holding: Holding) -> frozenset[int] | None:
        """Whose rows; None for everybody's."""
        if holding.data_scope == "unit":
            return None
        named = held.named_people()[holding.grant_id] if holding.data_scope == "people" else ()
        return frozenset({held.user.pk, *named})

    def reasons(self, held: Held, privilege: str, obj: Model) -> list[str]:
        unit, owner = follow(obj, self.unit), follow(obj, self.owner)
        if unit is None:
            return []
        lines = []
        for holding in held.of(privilege):
            people = self._people(held, holding)
            if holding.reaches(unit.path) and (
                people is None or (owner is not None and owner.pk in people)
            ):
                whose = {"own": "own rows", "people": "rows of named people", "unit": "all rows"}
                scope = whose[holding.data_scope]
                lines.append(f"role {holding.role} at {holding.unit_name}, {scope}")
        return lines


@dataclass(frozen=True)
class Anywhere:
    """The role is held at any unit: for rows that belong to no unit."""

    def q(self, held: Held, privilege: str) -> Q | None:
        return Q() if held.of(privilege) else None

    def reasons(self, held: Held, privilege: str, obj: Model) -> list[str]:
        return [f"role {holding.role} at {holding.unit_name}" for holding in held.of(privilege)]


@dataclass(frozen=True)
class ByRelation:
    """The person holds the privilege somewhere, and is related to the row's ``lookup`` object.

    ``keys`` is a ``(user) -> values_list(…, flat=True) queryset`` of the keys that the person is
    related to.
    """

    lookup: str
    keys: Callable[[Any], Any]
    words: str

    def _found(self, held: Held) -> frozenset[Any]:
        if self.keys not in held.cache:
            held.cache[self.keys] = frozenset(self.keys(held.user))
        return held.cache[self.keys]

    def q(self, held: Held, privilege: str) -> Q | None:
        if not held.of(privilege):
            return None
        return _one_of(self.lookup, self._found(held), lambda: self.keys(held.user))

    def reasons(self, held: Held, privilege: str, obj: Model) -> list[str]:
        target = follow(obj, self.lookup)
        if target is None or not held.of(privilege) or target.pk not in self._found(held):
            return []
        return [f"{self.words} {target}, as {held.of(privilege)[0].role}"]


@dataclass(frozen=True)
class ByException:
    """A per-object permission (django-guardian, direct foreign key) on the ``lookup`` object.

    ``model`` is the UserObjectPermission model; the permission's codename is the privilege's name.
    """

    model: Callable[[], type[Model]]
    lookup: str = ""

    def _keys(self, held: Held, privilege: str) -> Any:
        exceptions = self.model()._default_manager.filter(  # noqa: SLF001
            user=held.user, permission__codename=privilege.split(".")[1]
        )
        return exceptions.values_list("content_object_id", flat=True)

    def _found(self, held: Held, privilege: str) -> frozenset[Any]:
        if acts_in_other_role(held.user):
            return frozenset()  # an exception is made for the person, not for the other role
        name = (self.model, privilege)
        if name not in held.cache:
            held.cache[name] = frozenset(self._keys(held, privilege))
        return held.cache[name]

    def q(self, held: Held, privilege: str) -> Q | None:
        found = self._found(held, privilege)
        return _one_of(self.lookup, found, lambda: self._keys(held, privilege))

    def reasons(self, held: Held, privilege: str, obj: Model) -> list[str]:
        target = follow(obj, self.lookup)
        if target is None or target.pk not in self._found(held, privilege):
            return []
        return [f"exception for {target}"]


@dataclass(frozen=True)
class AnyOf:
    """In reach of any of several scopes."""

    scopes: tuple[Scope, ...]

    def q(self, held: Held, privilege: str) -> Q | None:
        found = [q for scope in self.scopes if (q := scope.q(held, privilege)) is not None]
        return reduce(or_, found) if found else None

    def reasons(self, held: Held, privilege: str, obj: Model) -> list[str]:
        return [line for scope in self.scopes for line in scope.reasons(held, privilege, obj)]


@dataclass(frozen=True)
class Narrowed:
    """In reach of a scope, and fulfilling a condition too: as SQL, and of one object."""

    scope: Scope
    condition: Callable[[Held], Q]
    fulfils: Callable[[Held, Any], bool]

    def q(self, held: Held, privilege: str) -> Q | None:
        found = self.scope.q(held, privilege)
        return None if found is None else found & self.condition(held)

    def reasons(self, held: Held, privilege: str, obj: Model) -> list[str]:
        return self.scope.reasons(held, privilege, obj) if self.fulfils(held, obj) else []
