"""Tracershop's part of the demo: a shop with its people, and a week of work around today.

The shop is made once; what anybody changed since stays so. At each later start only days that have
no orders, bookings or vials yet are filled, so that a demo of last week still has a today.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from portal.operations.demo import map_groups
from portal.organisation.models import Unit
from tracershop.demo.examples import write_example_files
from tracershop.demo.quality import make_quality
from tracershop.demo.shop import Shop, find_shop, make_shop
from tracershop.demo.staff import GROUPS, people, prepare_people
from tracershop.demo.week import fill_week

__all__ = ["load", "people"]


def load(people: dict[str, Any], units: dict[str, Unit]) -> None:
    """Make what is missing; everybody's account and the units exist already."""
    map_groups(GROUPS)
    prepare_people(people)
    shop: Shop | None = find_shop(people)
    if shop is None:
        with transaction.atomic():
            shop = make_shop(people, units)
            make_quality(shop)
    fill_week(shop)
    write_example_files(shop)
