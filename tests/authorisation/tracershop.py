"""Tracershop's part of the table: shops reach what they represent, production all of its unit."""

from __future__ import annotations

from typing import Any

from tests.authorisation import (
    tracershop_batches,
    tracershop_changes,
    tracershop_papers,
    tracershop_production,
    tracershop_setup,
    tracershop_standing,
)
from tests.authorisation.expectations import Expectations, Row, Topic, pk_of, post
from tests.authorisation.tracershop_roles import (
    ADMIN,
    EVERYBODY,
    INTERNAL,
    MAPPERS,
    PRODUCTION,
    SHOP,
    SUPERUSER,
)


def _order(objects: Any, person: Any) -> dict[str, Any]:
    return {"order": objects["order"].pk}


def _rejected(objects: Any, person: Any) -> dict[str, Any]:
    return {"order": objects["rejected"].pk}


def _delivery(objects: Any, person: Any) -> dict[str, Any]:
    return {"slot": objects["slot"].pk, "day": f"{objects['day']:%Y-%m-%d}"}


def _endpoint(objects: Any, person: Any) -> dict[str, Any]:
    day = f"{objects['day']:%Y-%m-%d}"
    return {"endpoint": objects["endpoint"].pk, "tracer": objects["water"].pk, "day": day}


def _room(objects: Any, person: Any) -> dict[str, Any]:
    return {"reason": "moved"}


EXPECTED = Expectations(
    urls={
        # production
        "tracershop:board": Row(PRODUCTION),
        "tracershop:accept": post(PRODUCTION, data=_order, exact=True),
        "tracershop:reject": post(
            PRODUCTION, data=lambda o, p: {**_order(o, p), "reason": "no capacity"}, exact=True
        ),
        "tracershop:unreject": post(PRODUCTION, data=_rejected, exact=True),
        "tracershop:release": Row(PRODUCTION, data=_order, exact=True),
        "tracershop:vials": Row(PRODUCTION),
        "tracershop:settle": post(PRODUCTION, args=pk_of("vial"), others=PRODUCTION),
        "tracershop:certifications": Row(ADMIN),
        "tracershop:certify": post(ADMIN),
        "tracershop:revoke_certification": post(ADMIN, args=pk_of("certification"), others=ADMIN),
        # shop
        "tracershop:shop": Row(SHOP | PRODUCTION),
        "tracershop:order_activity": Row(EVERYBODY, data=_delivery, exact=True),
        "tracershop:order_injections": Row(EVERYBODY, data=_endpoint, exact=True),
        "tracershop:order": Row(EVERYBODY, args=pk_of("order")),
        "tracershop:order_edit": Row(EVERYBODY, args=pk_of("order")),
        "tracershop:order_delete": Row(EVERYBODY, args=pk_of("order")),
        "tracershop:orders": Row(EVERYBODY),
        "tracershop:orders_excel": Row(EVERYBODY),
        "tracershop:certificate": Row(EVERYBODY, args=pk_of("released")),
        "tracershop:bookings": Row(INTERNAL),
        "tracershop:bookings_order": post(INTERNAL),
        # set-up
        "tracershop:mappings": Row(MAPPERS),
        "tracershop:map_room": Row(MAPPERS),
        "tracershop:end_room": post(SUPERUSER, args=pk_of("room"), data=_room, exact=True),
        "tracershop:map_procedure": Row(SUPERUSER, data=_endpoint, exact=True),
        "tracershop:end_procedure": post(
            SUPERUSER, args=pk_of("procedure"), data=_room, exact=True
        ),
        "tracershop:representatives": Row(SUPERUSER | ADMIN),
        "tracershop:end_representation": post(
            SUPERUSER | ADMIN, args=pk_of("representation"), data=_room, exact=True
        ),
        **tracershop_standing.URLS,
        **tracershop_changes.URLS,
        **tracershop_production.URLS,
        **tracershop_batches.URLS,
        **tracershop_papers.URLS,
        **tracershop_setup.URLS,
    },
    topics={
        r"tracershop/day/(?P<day>\d{4}-\d\d-\d\d)": Topic(
            lambda o, p: f"tracershop/day/{o['day']:%Y-%m-%d}", PRODUCTION, on_objects=False
        ),
        r"tracershop/customer/(?P<pk>\d+)": Topic(
            lambda o, p: f"tracershop/customer/{o['customer'].pk}", EVERYBODY
        ),
        "tracershop/vials": Topic(lambda o, p: "tracershop/vials", PRODUCTION, on_objects=False),
        "tracershop/batches": Topic(
            lambda o, p: "tracershop/batches", PRODUCTION, on_objects=False
        ),
        r"tracershop/setup/(?P<model>[a-z]+)": Topic(
            lambda o, p: "tracershop/setup/deliveryslot", ADMIN, on_objects=False
        ),
        "tracershop/certifications": Topic(
            lambda o, p: "tracershop/certifications", ADMIN, on_objects=False
        ),
        "tracershop/bookings": Topic(
            lambda o, p: "tracershop/bookings", INTERNAL | PRODUCTION, on_objects=False
        ),
    },
    tasks=EVERYBODY,
)
