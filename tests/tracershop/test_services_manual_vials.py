"""Vials entered and corrected by hand (TS-063)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from tracershop.interfaces.dispensed import DispensedVial
from tracershop.models import Vial
from tracershop.services.dispenser import DISPENSER, Taken, take_vial
from tracershop.services.manual_vials import VialValues, add_vial, edit_vial

from portal.audit.models import AuditEntry
from portal.records.errors import Refused, StaleRecord
from tests.tracershop.factories import MONDAY, local, shop_world
from tests.tracershop.releasing import LOT, accepted, at_once, make_vial

pytestmark = pytest.mark.requirement("TS-063")
NOW = local(MONDAY, 9)


@pytest.fixture
def world(db):
    return shop_world()


def values(world, **changed) -> VialValues:
    given = VialValues(
        lot=LOT,
        customer_id=world.customer_a.pk,
        filled_at=local(MONDAY, 8, 45) + timedelta(seconds=5),
        activity_mbq=13233,
        volume_ml=7.5,
        expires_at=local(MONDAY, 18),
        position="3",
    )
    return replace(given, **changed)


def added(world, **changed) -> Vial:
    reason = changed.pop("reason", "Filled by hand")
    actor = changed.pop("actor", world.producer)
    return add_vial(actor=actor, values=values(world, **changed), reason=reason, now=NOW)


def edited(world, vial: Vial, **changed) -> Vial:
    version = changed.pop("version", Vial.objects.get(pk=vial.pk).version)
    reason = changed.pop("reason", "Read wrongly")
    actor = changed.pop("actor", world.producer)
    return edit_vial(
        actor=actor,
        vial_id=vial.pk,
        expected_version=version,
        values=values(world, **changed),
        reason=reason,
        now=NOW,
    )


def code_of(act, *arguments, **given) -> str:
    with pytest.raises(Refused) as refused:
        act(*arguments, **given)
    return refused.value.code


@pytest.mark.requirement("TS-121")
def test_a_vial_added_by_hand_counts_as_typed_says_by_whom_and_is_audited(world):
    vial = added(world)
    assert (vial.tracer, vial.customer) == (world.fdg, world.customer_a)
    assert (vial.value_status, vial.entered_by) == ("keyboard", world.producer)
    assert "typed_by_hand" in vial.warnings
    assert not vial.is_held
    entry = AuditEntry.objects.get(action="tracershop.vial_added")
    assert entry.reason == "Filled by hand"
    assert entry.data["activity_mbq"] == 13233
    assert entry.data["customer"] == "Nordby Hospital"


@pytest.mark.requirement("TS-121")
def test_a_correction_keeps_old_and_new_data_and_the_files_words(world):
    vial = make_vial(world, activity_mbq=1323.3)
    edited(world, vial)
    vial = Vial.objects.get(pk=vial.pk)
    assert (vial.activity_mbq, vial.value_status) == (13233, "keyboard")
    assert vial.entered_by == world.producer
    assert vial.customer_label == "1-Nordby Hospital"
    entry = AuditEntry.objects.get(action="tracershop.vial_edited")
    assert entry.data["activity_mbq"] == [1323.3, 13233]
    assert entry.data["value_status"] == ["instrument", "keyboard"]
    assert "tracer" not in entry.data
    assert entry.reason == "Read wrongly"


def test_saving_without_a_change_changes_nothing(world):
    vial = added(world)
    version = vial.version
    edited(world, vial)
    assert Vial.objects.get(pk=vial.pk).version == version
    assert not AuditEntry.objects.filter(action="tracershop.vial_edited").exists()


def test_implausible_values_are_warned_of_not_refused(world):
    assert "activity_implausible" in added(world, activity_mbq=90_000).warnings
    assert "lot_date_differs" in added(world, lot="FDG-261122-1").warnings
    assert "past_use_before" in added(world, expires_at=local(MONDAY, 8, 50)).warnings


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"reason": " "}, "reason_needed"),
        ({"lot": "rubbish"}, "lot"),
        ({"lot": "XYZ-261123-1"}, "prefix"),
        ({"customer_id": 10**9}, "gone"),
        ({"activity_mbq": 0}, "amount"),
        ({"activity_mbq": 1e-7}, "amount"),
        ({"activity_mbq": float("nan")}, "amount"),
        ({"activity_mbq": float("inf")}, "amount"),
        ({"volume_ml": -1}, "amount"),
        ({"volume_ml": 1e9}, "amount"),
        ({"filled_at": local(MONDAY, 9, 1)}, "future"),
        ({"expires_at": local(MONDAY, 8)}, "expiry"),
    ],
)
def test_what_cannot_be_is_neither_added_nor_corrected_to(world, changed, code):
    assert code_of(added, world, **changed) == code
    vial = make_vial(world)
    assert code_of(edited, world, vial, **changed) == code
    assert Vial.objects.count() == 1


@pytest.mark.requirement("TS-061")
def test_the_same_vial_is_not_there_twice(world):
    vial = added(world)
    assert code_of(added, world) == "twin"
    assert code_of(added, world, lot=LOT.lower()) == "twin"
    other = added(world, customer_id=world.customer_b.pk)
    assert code_of(edited, world, other) == "twin"
    assert Vial.objects.exclude(pk=other.pk).get() == vial


@pytest.mark.requirement("TS-061")
def test_a_later_file_that_tells_of_a_corrected_vial_adds_no_second_one(world):
    """The old values are what the dispenser says of it, in whichever kind of file."""
    told = {"lot": LOT, "filled_at": local(MONDAY, 6, 50), "activity_mbq": 2400.0, "volume_ml": 3.5}
    file = DispensedVial(customer_id=1, customer_name="Nordby Hospital", **told)
    taken = Taken()
    vial = take_vial(actor=DISPENSER, vial=file, source=None, taken=taken, now=NOW)
    edited(world, vial)
    again = replace(file, customer_id=None)
    assert take_vial(actor=DISPENSER, vial=again, source=None, taken=taken, now=NOW) is None
    assert (taken.new, taken.known) == (1, 1)
    assert Vial.objects.get() == vial
    other = replace(file, activity_mbq=2401.0)
    assert take_vial(actor=DISPENSER, vial=other, source=None, taken=taken, now=NOW) is not None


def test_a_vial_of_a_released_order_stays_as_it_was_signed(world):
    vial = make_vial(world, order=accepted(world, status="released"))
    assert code_of(edited, world, vial) == "released"


def test_one_that_is_to_serve_an_order_is_corrected_but_gets_no_other_customer_or_tracer(world):
    vial = make_vial(world, order=accepted(world))
    edited(world, vial)
    assert code_of(edited, world, vial, customer_id=world.customer_b.pk) == "in_use"
    assert code_of(edited, world, vial, lot="H2O-261123-1") == "in_use"
    assert Vial.objects.get(pk=vial.pk).activity_mbq == 13233


def test_a_held_vial_is_settled_not_corrected(world):
    vial = make_vial(world, tracer=None, customer=None, customer_label="99-Klinik")
    assert code_of(edited, world, vial) == "held"


def test_two_people_who_correct_one_vial_see_what_the_other_did(world):
    vial = make_vial(world)
    edited(world, vial)
    with pytest.raises(StaleRecord) as stale:
        edited(world, vial, version=vial.version, activity_mbq=14000)
    assert "activity_mbq" in [each.name for each in stale.value.differences]
    assert Vial.objects.get(pk=vial.pk).activity_mbq == 13233


def test_who_may_not_keep_vials_neither_adds_nor_corrects(world):
    vial = make_vial(world)
    for person in (world.secretary, world.superuser, world.external):
        with pytest.raises(PermissionDenied):
            added(world, actor=person)
        assert code_of(edited, world, vial, actor=person) == "gone"
    assert Vial.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_added_by_two_at_once_it_is_there_once():
    world = shop_world()
    results = at_once(lambda: added(world), lambda: added(world))
    assert sorted(getattr(each, "code", "added") for each in results) == ["added", "twin"]
    assert Vial.objects.count() == 1
