"""The main pages as people of each role see them: no fault that axe knows, no wider than a phone.

Screenshots of the first ones are kept in `build/screenshots`.
"""

from __future__ import annotations

import pytest
from django.utils import timezone

from tests.e2e.conftest import VisitorMaker
from tests.e2e.pages import OrderPage
from tests.e2e.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.processes]

LOOKED_AT = {
    "Mette Dalgaard": {
        "home": "/",
        "shop": "/tracershop/shop/?day={today}",
        "bookings": "/tracershop/bookings/?day={orderable}",
    },
    "Karen Brandt": {
        "board": "/tracershop/board/?day={today}",
        "release": "/tracershop/release/?order={accepted}",
        "order": "/tracershop/orders/{released}/",
    },
}
ALSO_OPENED = {
    "Mette Dalgaard": ("/tracershop/orders/", "/accounts/sessions/", "/notifications/"),
    "Lone Krogh": ("/tracershop/mappings/", "/tracershop/representatives/"),
    "Karen Brandt": ("/tracershop/vials/", "/signing/", "/notifications/tasks/", "/inbox/"),
    "Asta Winther": ("/tracershop/certifications/", "/accounts/external/"),
    "Birgitte Kjærsgaard": ("/access/", "/access/roles/", "/access/explain/"),
    "Anders Toftegaard": ("/operations/status/", "/inbox/"),
    "Ingrid Vestermark": ("/operations/audit/", "/operations/access/", "/signing/verification/"),
}
