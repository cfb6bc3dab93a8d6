"""What is expected of an address, a topic, a task source: who may, on one's own and on others'.

A role's code is ``module.role`` as in the database. The person of each role holds it at the unit
*own*, and has what goes with it there; objects of *others* belong to another unit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model

NO_ROLE = "nobody.nothing"
"""Somebody who is logged in and holds nothing."""


@dataclass(frozen=True)
class World:
    """Named objects, each twice: of one's own unit and of another's."""

    own: Mapping[str, Any]
    others: Mapping[str, Any]


Arguments = Callable[[Mapping[str, Any], Any], Mapping[str, Any]]
"""From the objects of one side and the person who asks to keyword arguments, or to fields sent."""


def pk_of(name: str) -> Arguments:
    """The address names the object by its number."""
    return lambda objects, person: {"pk": _key(objects[name])}


def _key(obj: Any) -> Any:
    return obj.pk if isinstance(obj, Model) else obj


@dataclass(frozen=True)
class Row:
    """Who may use an address; anybody else is refused with 403 or 404.

    ``may`` None: everybody who is logged in. ``args`` gives the address' arguments, ``data`` the
    fields of the request; with one of them the row is tried on an object of one's own and on one of
    others, where only the roles of ``others`` may. ``exact``: the fields are a whole request, so
    that being refused by a rule (422) is being refused.
    """

    may: frozenset[str] | None
    others: frozenset[str] = frozenset()
    post: bool = False
    args: Arguments | None = None
    data: Arguments | None = None
    exact: bool = False
    path: str = ""
    """Where the address cannot be made from its name."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def on_objects(self) -> bool:
        return self.args is not None or self.data is not None

    def allows(self, role: str, *, own: bool) -> bool:
        if self.may is None:
            return own or not self.on_objects or role in self.others
        return role in (self.may if own else self.others)


@dataclass(frozen=True)
class Topic:
    """Who may listen to a topic, on one's own object and on others'."""

    name: Callable[[Mapping[str, Any], Any], str]
    may: frozenset[str] | None
    others: frozenset[str] = frozenset()
    on_objects: bool = True

    allows = Row.allows


@dataclass(frozen=True)
class Expectations:
    """One app's part of the table."""

    urls: Mapping[str, Row]
    topics: Mapping[str, Topic] = field(default_factory=dict)
    """By the declared pattern."""
    tasks: frozenset[str] = frozenset()
    """Roles for whom something waits in the world of the test."""


def post(may: frozenset[str] | None, **options: Any) -> Row:
    return Row(may, post=True, **options)


def anybody(**options: Any) -> Row:
    """Everybody who is logged in: what it shows or does is their own."""
    return Row(None, **options)
