"""What the models' access policies say of themselves: where a privilege knows data scopes, what
takes exceptions, and to which unit a record belongs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.db.models import Model

from portal.access.policies import (
    AccessPolicy,
    AnyOf,
    ByDataScope,
    ByException,
    ByUnit,
    Scope,
    follow,
)
from portal.organisation.models import Unit


def ways(scope: Scope | None) -> Iterator[Scope]:
    """The scopes of which a scope is made."""
    if isinstance(scope, AnyOf):
        for each in scope.scopes:
            yield from ways(each)
    elif scope is not None:
        yield scope


def policies() -> Iterator[tuple[type[Model], AccessPolicy]]:
    """Every model with a policy."""
    for model in apps.get_models():
        policy = getattr(model, "access", None)
        if isinstance(policy, AccessPolicy):
            yield model, policy


@lru_cache(maxsize=1)
def data_scoped_privileges() -> frozenset[str]:
    """Privileges for which the data scope of a grant matters on some model (PT-015)."""
    return frozenset(
        code
        for _model, policy in policies()
        for code, scope in policy.scopes.items()
        if any(isinstance(way, ByDataScope) for way in ways(scope))
    )


def exception_privileges(model: type[Model]) -> dict[str, type[Model]]:
    """Privileges that can be given on one single object of the model, each with guardian's table.

    An exception for a customer reaches the customer's endpoints and orders too: it is of the
    customer, not of them.
    """
    policy = getattr(model, "access", None)
    found: dict[str, type[Model]] = {}
    for code, scope in policy.scopes.items() if isinstance(policy, AccessPolicy) else ():
        for way in ways(scope):
            if isinstance(way, ByException):
                table = way.model()
                if table._meta.get_field("content_object").related_model is model:  # noqa: SLF001
                    found[code] = table
    return found


def unit_of(obj: Any) -> Unit | None:
    """The unit to which a record belongs, as its policy says; None for what belongs to none."""
    if isinstance(obj, Unit):
        return obj
    policy = getattr(type(obj), "access", None)
    if not isinstance(policy, AccessPolicy):
        return None
    record = follow(obj, policy.through)
    for scope in policy.scopes.values():
        for way in ways(scope):
            if isinstance(way, (ByUnit, ByDataScope)):
                unit = follow(record, way.lookup if isinstance(way, ByUnit) else way.unit)
                if isinstance(unit, Unit):
                    return unit
    return None
