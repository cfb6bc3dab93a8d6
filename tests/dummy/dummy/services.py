from __future__ import annotations

from typing import Any

from dummy.models import Thing
from portal.access.decision import require
from portal.audit.services import record
from portal.live.services import publish
from portal.organisation.models import Unit
from portal.records.services import writes


@writes
def keep_thing(*, actor: Any, name: str, unit: Unit, reason: str = "") -> Thing:
    """Keep a thing at a unit."""
    thing = Thing(name=name, unit=unit)
    require(actor, "dummy.change_things", thing)
    thing.save()
    record("dummy.thing_kept", thing, data={"name": name})
    publish(f"dummy/{unit.pk}", "thing", thing.pk)
    return thing
