"""Who acts, for whom and why: known to history and audit without being handed through calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class ServiceActor:
    """A task or listener that acts by itself, perhaps on a person's behalf."""

    name: str
    on_behalf_of: Any = None
    """The person (a user) for whom it acts, if any."""

    is_authenticated = True
    is_active = True

    def __str__(self) -> str:
        return f"{self.name} for {self.on_behalf_of}" if self.on_behalf_of else self.name


@dataclass(frozen=True)
class Act:
    """The circumstances of what is being done now."""

    actor: Any = None
    acting_as: str = ""
    """The other role in which the person acts for support, in words; '' for their own (PT-006)."""
    reason: str = ""
    request_id: str = ""
    address: str = ""

    @property
    def person(self) -> Any:
        """The user behind the act: the actor, or the one a service acts for; None if nobody."""
        if isinstance(self.actor, ServiceActor):
            return self.actor.on_behalf_of
        return self.actor

    @property
    def service(self) -> str:
        return self.actor.name if isinstance(self.actor, ServiceActor) else ""

    @property
    def by_way_of(self) -> str:
        """For a row of history, which has one place for it: the service, or the other role."""
        return self.service or (f"acting as {self.acting_as}" if self.acting_as else "")


_current: ContextVar[Act] = ContextVar("act", default=Act())  # noqa: B039 it is frozen


def current_act() -> Act:
    return _current.get()


@contextmanager
def acting(**changes: Any) -> Iterator[Act]:
    """Within the block the named circumstances hold; the others stay as they were."""
    token = _current.set(replace(_current.get(), **changes))
    try:
        yield _current.get()
    finally:
        _current.reset(token)
