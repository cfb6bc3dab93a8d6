"""Lists narrowed by `visible()` at 200,000 orders and 100,000 grants, against a plain unit filter.

Both sides read one page of the list (50 rows in order) and count the whole of it, as a list page
does; ours also reads what the person holds, once, as every request does. The plain filter names
units that have as many orders, by the indexed path of the tree. In turns: ours, plain, plain, ours.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import QuerySet
from guardian.shortcuts import get_objects_for_user
from tracershop.models import (
    Customer,
    CustomerUserObjectPermission,
    Endpoint,
    Isotope,
    Order,
    Representation,
    Tracer,
)

from portal.access.decision import forget_held, visible
from portal.access.models import Role, RoleGrant
from portal.accounts.models import User
from portal.organisation.models import Unit
from tests.bench.measures import Measure

HOSPITALS, DEPARTMENTS = 40, 25
CUSTOMERS_EACH = 2
PEOPLE = 5_000
GRANTS_EACH, EXCEPTIONS_EACH, REPRESENTS_EACH = 10, 10, 2
ORDERS = 200_000
ROUNDS = 41
TARGET = 3
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """A person's list, and the plain filter that finds as many orders."""

    name: str
    user: User
    plain: QuerySet[Order]


def run() -> dict[str, Any]:
    """Medians in milliseconds and their ratio, for three kinds of people."""
    _fill()
    measures = []
    for case in _cases():
        ours = lambda case=case: visible(_fresh(case.user), Order.objects.all())  # noqa: E731
        found = ours().count(), case.plain.count()
        if not 0.5 < found[0] / found[1] < 2:
            raise AssertionError(f"{case.name}: {found} orders do not compare")
        measures += _compare(case.name, found[0], ours, lambda case=case: case.plain.all())
    measures.append(_guardian())
    return {"measures": measures}


def _compare(
    name: str, count: int, ours: Callable[[], QuerySet], plain: Callable[[], QuerySet]
) -> list[Measure]:
    sides = {"ours": ours, "plain": plain}
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    for number in range(ROUNDS + 3):
        for side in list(sides)[:: 1 if number % 2 else -1]:
            took = _read(sides[side])
            if number >= 3:  # plans and pages in memory
                times[side].append(took)
    ours_ms, plain_ms = (statistics.median(times[side]) * 1000 for side in sides)
    what = f"list of {count:,} of {ORDERS:,} orders by visible(), {name}"
    return [
        Measure(
            name=what,
            number=ours_ms,
            unit="ms",
            compared_with=f"plain indexed unit filter: {plain_ms:.1f} ms",
        ),
        Measure(
            name=f"the same as a ratio, {name}",
            number=ours_ms / plain_ms,
            unit="",
            target=f"≤ {TARGET}",
            compared_with="medians, visible() ÷ plain",
        ),
    ]


def _read(make: Callable[[], QuerySet]) -> float:
    """Seconds for a page of the list and its length."""
    began_at = time.perf_counter()
    queryset = make()
    page = list(queryset.order_by("-deliver_at", "pk")[:50])
    count = queryset.count()
    took_s = time.perf_counter() - began_at
    if len(page) != min(50, count):
        raise AssertionError("the page is not as long as the list")
    return took_s


def _guardian() -> Measure:
    """For the record: what django-guardian's own list query takes for the exceptions alone."""
    user = User.objects.get(username="person-1")

    def theirs() -> QuerySet[Order]:
        customers = get_objects_for_user(
            user, "tracershop.see_own_orders", Customer, accept_global_perms=False
        )
        return Order.objects.filter(customer__in=customers)

    times = [_read(theirs) for _ in range(ROUNDS)]
    return Measure(
        name="the same list by guardian's get_objects_for_user, exceptions alone",
        number=statistics.median(times) * 1000,
        unit="ms",
    )


def _fresh(user: User) -> User:
    forget_held(user)
    return user


def _cases() -> list[Case]:
    hospital = Unit.objects.get(code="h7")
    orders = Order.objects.all()
    return [
        Case(
            "production of one hospital",
            User.objects.get(username="hospital"),
            orders.filter(customer__unit__path__startswith=hospital.path),
        ),
        Case(
            "production of the region",
            User.objects.get(username="region"),
            orders.filter(customer__unit__path__startswith=hospital.path[:4]),
        ),
        Case(
            "a shop user of 12 customers, 10 of them by exception",
            User.objects.get(username="person-1"),
            orders.filter(customer__unit__in=Unit.objects.filter(code__in=_SIX_UNITS)),
        ),
    ]


_SIX_UNITS = [f"h{number}d3" for number in range(1, 7)]

# --- filling -------------------------------------------------------------------------------------


def _fill() -> None:
    units = _units()
    departments = [unit for unit in units if unit.depth == 3]
    customers = _customers(departments)
    people = _people()
    _grants(people, departments)
    _give_customers(people, customers)
    _orders(customers, people[0])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _units() -> list[Unit]:
    root = Unit(
        path="0001", depth=1, numchild=HOSPITALS, code="r", name="Region", kind="institution"
    )
    units = [root]
    for h in range(HOSPITALS):
        hospital = Unit(
            path=root.path + _step(h), depth=2, numchild=DEPARTMENTS, code=f"h{h}",
            name=f"Hospital {h}", kind="hospital",
        )  # fmt: skip
        units.append(hospital)
        units += [
            Unit(
                path=hospital.path + _step(d), depth=3, code=f"h{h}d{d}",
                name=f"Department {h}-{d}", kind="department",
            )
            for d in range(DEPARTMENTS)
        ]  # fmt: skip
    return Unit.all_objects.bulk_create(units)


def _step(number: int) -> str:
    """Treebeard's four characters of a path for the child with this number."""
    digits = ""
    number += 1
    for _ in range(4):
        number, rest = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[rest] + digits
    return digits


def _customers(departments: list[Unit]) -> list[Customer]:
    customers = Customer.all_objects.bulk_create(
        Customer(name=f"Customer {unit.code}-{number}", unit=unit)
        for unit in departments
        for number in range(CUSTOMERS_EACH)
    )
    Endpoint.all_objects.bulk_create(
        Endpoint(customer=customer, name="PET") for customer in customers
    )
    return customers


def _people() -> list[User]:
    names = [f"person-{number}" for number in range(PEOPLE)] + ["hospital", "region"]
    return User.all_objects.bulk_create(
        User(username=name, name=name, kind=User.Kind.STAFF, password="!") for name in names
    )


def _grants(people: list[User], departments: list[Unit]) -> None:
    role = Role.objects.get(code="tracershop.shop_internal")
    grants = [
        RoleGrant(user=user, role=role, unit=departments[(7 * u + 31 * g) % len(departments)])
        for u, user in enumerate(people[:PEOPLE])
        for g in range(GRANTS_EACH)
    ]
    production = Role.objects.get(code="tracershop.production_user")
    for name, unit in (("hospital", "h7"), ("region", "r")):
        user = next(each for each in people if each.username == name)
        grants.append(RoleGrant(user=user, role=production, unit=Unit.objects.get(code=unit)))
    RoleGrant.all_objects.bulk_create(grants, batch_size=5000)


def _give_customers(people: list[User], customers: list[Customer]) -> None:
    permission = Permission.objects.get(
        codename="see_own_orders", content_type__app_label="tracershop"
    )
    CustomerUserObjectPermission.objects.bulk_create(
        (
            CustomerUserObjectPermission(
                user=user,
                permission=permission,
                content_object=customers[(13 * u + 101 * e) % len(customers)],
            )
            for u, user in enumerate(people[:PEOPLE])
            for e in range(EXCEPTIONS_EACH)
        ),
        batch_size=5000,
    )
    Representation.all_objects.bulk_create(
        (
            Representation(user=user, customer=customers[(17 * u + 503 * r + 1) % len(customers)])
            for u, user in enumerate(people[:PEOPLE])
            for r in range(REPRESENTS_EACH)
        ),
        batch_size=5000,
    )


def _orders(customers: list[Customer], orderer: User) -> None:
    isotope = Isotope.objects.create(symbol="O-15", half_life_s=122.24, source="bench")
    tracer = Tracer.objects.create(
        name="Water", isotope=isotope, kind="injection", lot_prefix="H2O", max_vial_mbq=5000
    )
    endpoints = dict(Endpoint.objects.values_list("customer_id", "pk"))
    columns = (
        "version, created_at, changed_at, kind, customer_id, endpoint_id, tracer_id, deliver_on,"
        " deliver_at, overhead_factor, injections, intended_use, comment, status, status_reason,"
        " ordered_by_id, late_reason"
    )
    first = date(2025, 1, 1)
    statuses = ("ordered", "accepted", "released", "released", "rejected")
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY tracershop_order ({columns}) FROM STDIN") as copy,
    ):
        for number in range(ORDERS):
            customer = customers[(number * 7919) % len(customers)].pk
            day = first + timedelta(days=number % 730)
            at = datetime(day.year, day.month, day.day, 6 + number % 12, number % 60, tzinfo=UTC)
            copy.write_row(
                (
                    1, _NOW, _NOW, "injection", customer, endpoints[customer], tracer.pk, day, at,
                    1.0, 2, "human", "", statuses[number % 5], "", orderer.pk, "",
                )
            )  # fmt: skip
