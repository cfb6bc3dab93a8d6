"""External people of shops: whom they order for, until when, and when they were last here."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django_otp.plugins.otp_totp.models import TOTPDevice

from portal.access.decision import visible
from portal.access.selectors import people_with
from portal.accounts.models import User
from portal.accounts.reach import MANAGE
from tracershop.models import Representation
from tracershop.models.reach import PLACE
from tracershop.selectors.representation import manageable


def external_people(actor: Any, search: str = "") -> QuerySet[User]:
    """External people who order for customers of the actor's, or whose shop account they manage.

    Each with ``customers`` (representations in force, of the actor's customers), ``enrolled`` and
    ``is_managed`` (their account is in the actor's reach). A fixed number of queries.
    """
    own = manageable(actor, Representation.objects.all())
    accounts = visible(actor, User.objects.filter(kind=User.Kind.EXTERNAL), MANAGE)
    managed = Q(pk__in=accounts.values("pk"))
    of_shops = Q(pk__in=Representation.all_objects.values("user")) | Q(
        pk__in=people_with(PLACE).values("pk")
    )
    found = User.objects.filter(
        Q(pk__in=own.values("user")) | (managed & of_shops), kind=User.Kind.EXTERNAL
    )
    if search:
        found = found.filter(Q(name__icontains=search) | Q(username__icontains=search))
    in_force = own.select_related("customer").order_by("customer__name")
    return (
        found.annotate(
            is_managed=managed,
            enrolled=Exists(TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True)),
        )
        .prefetch_related(Prefetch("represents", in_force, to_attr="customers"))
        .order_by("name", "pk")
    )


def people_to_add(actor: Any) -> QuerySet[User]:
    """Active external people whom the actor may let order for one more customer: those whose
    account they manage, and those who order for customers of theirs already."""
    accounts = visible(actor, User.objects.filter(kind=User.Kind.EXTERNAL), MANAGE)
    own = manageable(actor, Representation.objects.all())
    known = Q(pk__in=accounts.values("pk")) | Q(pk__in=own.values("user"))
    people = User.objects.filter(known, kind=User.Kind.EXTERNAL, is_active=True)
    return people.order_by("name", "pk")
