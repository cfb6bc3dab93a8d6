"""Who represents whom, and who may say so (TS-100, TS-101)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from portal.access.decision import can, visible
from portal.access.selectors import people_with
from portal.accounts.models import User
from portal.records.context import ServiceActor
from tracershop.models import Customer, Representation
from tracershop.models.reach import PLACE, REPRESENT, SETUP, represented

M = TypeVar("M", bound=Model)


def manageable(user: Any, queryset: QuerySet[M]) -> QuerySet[M]:
    """Customers, or representations of them, over which the person may decide.

    A superuser: those that they represent themselves. Production admins: all at or below their
    unit. Holding the superuser's role at a hospital is not enough for its other customers (TS-100).
    """
    if isinstance(user, ServiceActor):
        return queryset
    if can(user, SETUP):
        return visible(user, queryset, REPRESENT)
    lookup = "pk__in" if queryset.model is Customer else "customer__in"
    return visible(user, queryset, REPRESENT).filter(**{lookup: represented(user)})


def representations(user: Any) -> QuerySet[Representation]:
    """Who represents the customers that the person decides over."""
    return (
        manageable(user, Representation.objects.all())
        .select_related("user", "customer__unit")
        .order_by("customer__name", "user__name")
    )


def people_to_choose(user: Any) -> QuerySet[User]:
    """Whom the person may let represent: holders of a shop role; external ones by production."""
    people = people_with(PLACE).exclude(pk=user.pk).order_by("name", "pk")
    return people if can(user, SETUP) else people.filter(kind=User.Kind.STAFF)


def representatives_of(customer_ids: Iterable[int]) -> QuerySet[User]:
    """Active people who represent one of the customers: whom to tell (TS-101)."""
    return (
        User.objects.filter(
            is_active=True,
            represents__customer__in=list(customer_ids),
            represents__deleted_at__isnull=True,
        )
        .distinct()
        .order_by("pk")
    )
