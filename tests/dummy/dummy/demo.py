from __future__ import annotations

from typing import Any

from dummy.models import Thing
from dummy.services import keep_thing
from portal.operations.demo import DemoPerson, map_groups


def people() -> list[DemoPerson]:
    return [
        DemoPerson(
            sub="demo-keeper",
            regional_id="REG9001",
            name="Vibeke Skovmose",
            email="vibeke.skovmose@demo.invalid",
            groups=("dummy-keepers",),
            role="Keeper of things",
        ),
        DemoPerson(
            sub="demo-watcher",
            regional_id="",
            name="Preben Mosegaard",
            email="preben@company-x.invalid",
            groups=("dummy-watchers",),
            role="Watcher of things, external",
            external=True,
            password="not a secret at all",
        ),
    ]


def load(people: dict[str, Any], units: dict[str, Any]) -> None:
    map_groups(
        {
            "dummy-keepers": ("dummy.keeper", "hosp-north"),
            "dummy-watchers": ("dummy.watcher", "company-x"),
        }
    )
    if not Thing.objects.exists():
        keep_thing(actor=people["demo-keeper"], name="A first thing", unit=units["pet"])
