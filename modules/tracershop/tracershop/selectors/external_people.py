"""External people of shops: whom they order for, until when, and when they were last here."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, Q, QuerySet

from portal.access.selectors import people_with
from portal.accounts.models import User
from portal.accounts.selectors import external_accounts
from tracershop.models import Representation
from tracershop.models.reach import PLACE


def external_people(actor: Any, search: str = "") -> QuerySet[User]:
    """External accounts in the actor's reach that order in the shop, or did: each with
    ``customers`` (representations in force). A fixed number of queries."""
    in_force = Representation.objects.select_related("customer").order_by("customer__name")
    of_shops = Q(pk__in=Representation.all_objects.values("user")) | Q(
        pk__in=people_with(PLACE).values("pk")
    )
    return (
        external_accounts(actor, search=search)
        .filter(of_shops)
        .prefetch_related(Prefetch("represents", in_force, to_attr="customers"))
    )
