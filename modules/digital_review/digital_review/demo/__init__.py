"""Digital Review's part of the demo: a national review of MDS and bone marrow failure.

Made once; what anybody changed since stays so. Work is done by services, in the names of the people
whose work it is; what lies in the past is dated back, since services only know today.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from digital_review.demo.meetings import make_meetings
from digital_review.demo.review import Scene, find_review, make_review
from digital_review.demo.staff import GROUPS, make_units, people, pins
from portal.operations.demo import map_groups
from portal.organisation.models import Unit
from portal.signing.services import unlock

__all__ = ["load", "people"]


def load(people: dict[str, Any], units: dict[str, Unit]) -> None:
    """Make what is missing; everybody's account and the region's units exist already."""
    with transaction.atomic():
        own = make_units()
    map_groups(GROUPS)
    if find_review() is not None:
        return
    keys = {sub: unlock(people[sub], pin) for sub, pin in pins().items()}
    with transaction.atomic():
        make_meetings(Scene(people, own, keys, make_review(own, people)))
