"""Customers, catalogue, tracers and the week: what a production admin sets up: who reaches them."""

from __future__ import annotations

from collections.abc import Iterator

from tracershop.views.setup_pages import PAGES

from tests.authorisation.expectations import Row, pk_of
from tests.authorisation.tracershop_roles import ADMIN

# in the world of the table; what belongs to no customer is of everybody who sets up
_RECORDS = {
    "customers": "customer",
    "contacts": "contact",
    "endpoints": "endpoint",
    "catalogue": "entry",
    "slots": "slot",
    "runs": "run",
    "deadlines": "deadline",
    "closed-days": "closed_day",
    "tracers": "tracer",
    "isotopes": "isotope",
    "quality-tests": "quality_test",
}
_OF_A_CUSTOMER = {"customers", "contacts", "endpoints", "catalogue", "slots"}


def _rows() -> Iterator[tuple[str, Row]]:
    for page in PAGES:
        name, record = f"tracershop:setup_{page.name}", pk_of(_RECORDS[page.name])
        others = frozenset() if page.name in _OF_A_CUSTOMER else ADMIN
        yield name, Row(ADMIN)
        yield f"{name}_new", Row(ADMIN)
        yield f"{name}_edit", Row(ADMIN, args=record, others=others)
        if page.rules.may_end:
            yield f"{name}_end", Row(ADMIN, args=record, others=others)


URLS: dict[str, Row] = {
    "tracershop:setup": Row(ADMIN),
    "tracershop:setup_customer": Row(ADMIN, args=pk_of("customer")),
    "tracershop:setup_propose_days": Row(ADMIN),
    "tracershop:setup_external": Row(ADMIN),
    "tracershop:setup_external_new": Row(ADMIN),
    "tracershop:setup_external_another": Row(ADMIN),
    "tracershop:renew_certification": Row(ADMIN, args=pk_of("certification"), others=ADMIN),
    **dict(_rows()),
}
