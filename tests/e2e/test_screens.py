"""The main pages as people of each role see them: no fault that axe knows, no wider than a phone.

Screenshots of the first ones are kept in `build/screenshots`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.e2e.conftest import VisitorMaker
from tests.e2e.pages import LoginPage, PortalPage
from tests.e2e.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.processes]

LOOKED_AT = {
    "Mette Dalgaard": {
        "home": "/",
        "shop": "/tracershop/shop/?day={day}",
        "week": "/tracershop/shop/week/?day={day}",
        "bookings": "/tracershop/bookings/?day={day}",
    },
    "Lone Krogh": {"mappings": "/tracershop/mappings/"},
    "Karen Brandt": {
        "board": "/tracershop/board/?day={day}",
        "plan": "/tracershop/plan/?day={day}",
        "planner": "/tracershop/planner/?day={day}",
        "batches": "/tracershop/batches/",
        "batch": "/tracershop/batches/{batch}/",
        "shipments": "/tracershop/shipments/",
        "release": "/tracershop/release/?order={accepted}",
        "order": "/tracershop/orders/{released}/",
    },
}
ALSO_OPENED = {
    "Mette Dalgaard": (
        *("/tracershop/orders/", "/accounts/sessions/", "/notifications/", "/tracershop/standing/"),
        *("/tracershop/shop/week/copy/", "/tracershop/statistics/", "/tracershop/booking-changes/"),
    ),
    "Lone Krogh": ("/tracershop/representatives/", "/tracershop/mappings/room/"),
    "Karen Brandt": (
        *("/tracershop/vials/", "/signing/", "/notifications/tasks/", "/inbox/"),
        *("/tracershop/vials/add/", "/tracershop/orders/ghost/", "/tracershop/recalls/"),
        *("/tracershop/statistics/", "/tracershop/vials/scan/", "/tracershop/batches/new/"),
    ),
    "Asta Winther": (
        *("/tracershop/certifications/", "/accounts/external/", "/tracershop/setup/"),
        *("/tracershop/setup/external/", "/tracershop/setup/closed-days/propose/"),
    ),
    "Birgitte Kjærsgaard": ("/access/", "/access/roles/", "/access/explain/"),
    "Anders Toftegaard": ("/operations/", "/inbox/"),
    "Ingrid Vestermark": ("/operations/audit/", "/operations/access-log/"),
}


@pytest.fixture
def shown(stack: Stack) -> dict[str, Any]:
    """A day with much on it, an order to release and a released one."""
    today = timezone.localdate()
    query = "SELECT min(id) AS number FROM tracershop_order WHERE status = %s"
    return {
        "day": today + timedelta(days=1),
        "batch": stack.rows("SELECT max(id) AS number FROM tracershop_batch")[0].number,
        **{status: stack.rows(query, [status])[0].number for status in ("accepted", "released")},
    }


@pytest.mark.parametrize("name", LOOKED_AT)
def test_the_main_pages_are_accessible_large_and_small_light_and_dark(
    arrive: VisitorMaker, name: str, shown: dict[str, Any]
) -> None:
    visitor = arrive(name)
    faults = []
    for screen, path in LOOKED_AT[name].items():
        assert visitor.open(path.format(**shown)) == 200
        PortalPage.of(visitor)
        faults += visitor.look(screen)
    assert not faults, "\n".join(faults)


def test_the_login_page_is_accessible(arrive: VisitorMaker) -> None:
    visitor = arrive()
    visitor.open("/")
    LoginPage.of(visitor)
    faults = visitor.look("login")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("name", ALSO_OPENED)
def test_other_pages_open_without_a_complaint_and_are_accessible(
    arrive: VisitorMaker, name: str
) -> None:
    visitor = arrive(name)
    faults = []
    for path in ALSO_OPENED[name]:
        assert visitor.open(path) == 200, path
        PortalPage.of(visitor)
        faults += visitor.accessibility_faults()
    assert not faults, "\n".join(faults)
