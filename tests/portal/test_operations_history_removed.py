"""*Removed*: who may sees what was removed by whom and why, and brings it back (PT-021)."""

from __future__ import annotations

import re
import threading
from html import unescape
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from tracershop.models import CatalogueEntry, Order, ProcedureMapping, RoomMapping
from tracershop.services.mappings import end_procedure_mapping, end_room_mapping

from portal.access.decision import forget_held
from portal.access.models import Role
from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.operations.removed import (
    described,
    removed_rows,
    restorable_by,
    restore_record,
)
from portal.records.context import ServiceActor, acting
from portal.records.errors import Refused
from portal.records.services import soft_delete
from tests.support.factories import make_user
from tests.tracershop.factories import MONDAY, World, local, make_booking, map_fdg, shop_world

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-021")]
ROOMS = "/operations/removed/tracershop.roommapping/"
PROCEDURES = "/operations/removed/tracershop.proceduremapping/"


@pytest.fixture
def world() -> World:
    return shop_world()


def client_of(person: User) -> Client:
    client = Client()
    client.force_login(person, backend="portal.accounts.backends.RegionalIdBackend")
    return client


def words_of(page: bytes) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.decode())))


def removed_room(world: World, room: str = "PET-1") -> RoomMapping:
    mapping = RoomMapping.objects.create(room=room, endpoint=world.endpoint_a)
    with acting(actor=world.superuser, reason="moved to another floor"):
        soft_delete(mapping)
    return mapping


def test_the_page_names_what_was_removed_by_whom_when_and_why(world: World) -> None:
    removed_room(world)
    other = RoomMapping.objects.create(room="PET-9", endpoint=world.endpoint_a)
    with acting(actor=ServiceActor("night job", on_behalf_of=world.superuser)):
        soft_delete(other)
    client = client_of(world.superuser)
    overview = client.get("/operations/removed/")
    assert ROOMS in overview.content.decode()
    words = words_of(client.get(ROOMS).content)
    assert world.superuser.name in words
    assert "moved to another floor" in words
    assert "(night job)" in words
    assert words.index("PET-9") < words.index("PET-1")  # the last removed first


def test_restoring_is_done_with_a_reason_audited_and_in_the_history(world: World) -> None:
    mapping = removed_room(world)
    client = client_of(world.superuser)
    url = f"{ROOMS}{mapping.pk}/restore/"
    assert "Restore PET-1" in words_of(client.get(url).content)
    assert client.post(url, {"reason": ""}).status_code == 422
    answer = client.post(url, {"reason": "the room is used again"})
    assert answer["Location"] == ROOMS
    back = RoomMapping.objects.get(pk=mapping.pk)
    newest = back.history.first()
    assert newest.history_user == world.superuser
    assert newest.history_change_reason == "the room is used again"
    entry = AuditEntry.objects.get(action="records.restored")
    assert (entry.object_id, entry.reason) == (str(mapping.pk), "the room is used again")
    assert "Nothing is removed" in client.get(ROOMS).content.decode()
    history = client.get(f"/operations/history/tracershop.roommapping/{mapping.pk}/")
    words = words_of(history.content)
    assert words.index("Restored") < words.index("Deleted") < words.index("Created")


def test_a_removed_record_s_history_leads_to_its_restoring(world: World) -> None:
    mapping = removed_room(world)
    path = f"/operations/history/tracershop.roommapping/{mapping.pk}/"
    page = client_of(world.superuser).get(path).content.decode()
    assert f"{ROOMS}{mapping.pk}/restore/" in page
    page = client_of(world.producer).get(path).content.decode()  # who sees it, and may not restore
    assert "/restore/" not in page


def test_what_comes_back_with_a_record_comes_back(world: World) -> None:
    """Bookings that wait in the room are placed as they were."""
    map_fdg(world)
    booking = make_booking("A1", local(MONDAY, 9))
    mapping = RoomMapping.objects.get()
    end_room_mapping(actor=world.superuser, mapping_id=mapping.pk, reason="moved")
    booking.refresh_from_db()
    assert booking.endpoint is None
    restore_record(actor=world.superuser, model=RoomMapping, pk=mapping.pk, reason="again")
    booking.refresh_from_db()
    assert booking.endpoint == world.endpoint_a


def test_what_the_module_s_rules_forbid_does_not_come_back(world: World) -> None:
    mapping = map_fdg(world)
    end_procedure_mapping(actor=world.superuser, mapping_id=mapping.pk, reason="moved")
    entry = CatalogueEntry.objects.get(endpoint=world.endpoint_a, tracer=world.fdg)
    soft_delete(entry)
    answer = client_of(world.superuser).post(
        f"{PROCEDURES}{mapping.pk}/restore/", {"reason": "again"}
    )
    assert answer.status_code == 422
    assert "not in the catalogue" in answer.content.decode()
    assert ProcedureMapping.all_objects.get(pk=mapping.pk).is_deleted
    assert not AuditEntry.objects.filter(action="records.restored").exists()


def test_a_place_that_is_taken_is_told_on_the_form(world: World) -> None:
    mapping = removed_room(world)
    RoomMapping.objects.create(room="PET-1", endpoint=world.endpoint_a)
    answer = client_of(world.superuser).post(f"{ROOMS}{mapping.pk}/restore/", {"reason": "again"})
    assert answer.status_code == 422
    assert "There is an active one in its place now" in answer.content.decode()


# --- who may ---------------------------------------------------------------------------------


@pytest.mark.requirement("PT-016")
@pytest.mark.parametrize("who", ["secretary", "producer", "other_secretary"])
def test_without_the_privilege_there_is_no_such_page(world: World, who: str) -> None:
    mapping = removed_room(world)
    client = client_of(getattr(world, who))
    assert client.get("/operations/removed/").status_code == 403
    assert client.get(ROOMS).status_code == 404
    assert client.get(f"{ROOMS}{mapping.pk}/restore/").status_code == 404
    assert client.post(f"{ROOMS}{mapping.pk}/restore/", {"reason": "x"}).status_code == 404
    assert RoomMapping.all_objects.get(pk=mapping.pk).is_deleted


@pytest.mark.requirement("PT-016")
def test_what_belongs_to_somebody_else_is_not_there(world: World) -> None:
    theirs = RoomMapping.objects.create(room="PET-B", endpoint=world.endpoint_b)
    soft_delete(theirs)
    client = client_of(world.superuser)
    assert "PET-B" not in client.get(ROOMS).content.decode()
    assert client.get(f"{ROOMS}{theirs.pk}/restore/").status_code == 404
    with pytest.raises(Refused) as refused:
        restore_record(actor=world.superuser, model=RoomMapping, pk=theirs.pk, reason="mine")
    assert refused.value.code == "gone"


def test_what_nobody_may_restore_is_nowhere(world: World) -> None:
    client = client_of(world.superuser)
    for label in ("access.role", "tracershop.order", "audit.auditentry", "nonsense", "a.b"):
        assert client.get(f"/operations/removed/{label}/").status_code == 404
    assert client.get(f"{ROOMS}not-a-number/restore/").status_code == 404
    for model in (Order, Role):
        with pytest.raises(PermissionDenied):
            restore_record(actor=world.superuser, model=model, pk=1, reason="x")


def test_a_record_that_is_not_removed_cannot_be_restored(world: World) -> None:
    mapping = RoomMapping.objects.create(room="PET-1", endpoint=world.endpoint_a)
    with pytest.raises(Refused) as refused:
        restore_record(actor=world.superuser, model=RoomMapping, pk=mapping.pk, reason="x")
    assert refused.value.code == "gone"
    with pytest.raises(Refused) as refused:
        restore_record(actor=world.superuser, model=RoomMapping, pk=mapping.pk, reason=" ")
    assert refused.value.code == "reason_needed"


def test_the_pages_are_reached_by_those_who_may(world: World) -> None:
    assert RoomMapping in restorable_by(world.superuser)
    assert restorable_by(make_user("Nobody")) == []
    rail = client_of(world.superuser).get("/operations/removed/").content.decode()
    assert 'href="/operations/removed/"' in rail
    mappings = client_of(world.superuser).get(reverse("tracershop:mappings")).content.decode()
    assert ROOMS in mappings


# --- two at once, and how much it costs --------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_two_who_restore_at_once_one_does() -> None:
    world = shop_world()
    mapping = removed_room(world)
    start, outcomes = threading.Barrier(2, timeout=20), list[str]()

    def bring_back() -> None:
        person = User.objects.get(pk=world.superuser.pk)
        try:
            start.wait()
            restore_record(actor=person, model=RoomMapping, pk=mapping.pk, reason="again")
            outcomes.append("restored")
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=bring_back) for _n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["gone", "restored"]
    assert AuditEntry.objects.filter(action="records.restored").count() == 1


def test_the_page_costs_the_same_number_of_queries_at_10_and_1000_rows(world: World) -> None:
    client = client_of(world.superuser)

    def queries() -> int:
        forget_held(world.superuser)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(ROOMS).status_code == 200
        return len(captured)

    for n in range(10):
        removed_room(world, f"PET-{n}")
    queries()
    few = queries()
    made: list[Any] = RoomMapping.all_objects.bulk_create(
        RoomMapping(room=f"R{n}", endpoint=world.endpoint_a, deleted_at=local(MONDAY, 8))
        for n in range(1000)
    )
    assert queries() == few
    # removed before their history began: nobody is named
    (row,) = described([removed_rows(world.superuser, RoomMapping).get(pk=made[0].pk)])
    assert (row.who, row.reason) == ("", "")
