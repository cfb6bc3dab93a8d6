"""Adding, changing and ending what production sets up: rules, reasons, traces, two at once."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from tracershop.models import (
    CatalogueEntry,
    ClosedDay,
    Customer,
    DeliverySlot,
    Endpoint,
    Isotope,
    Order,
    OrderDeadline,
    ProductionRun,
    QualityTest,
    StandingOrder,
    Tracer,
)
from tracershop.rules.isotopes import ISOTOPES
from tracershop.selectors.topics import BOOKINGS, customer_topic, day_topic
from tracershop.services import setup

from portal.access.decision import forget_held
from portal.audit.models import AuditEntry
from portal.operations.removed import restore_record
from portal.operations.setup.services import end_record, save_record
from portal.records.errors import Refused, StaleRecord
from portal.records.services import soft_delete
from tests.support.factories import give, make_user
from tests.support.threads import at_once
from tests.tracershop.factories import MONDAY, make_order, shop_world, stop_clock

pytestmark = pytest.mark.requirement("TS-100")


@pytest.fixture
def world(db, monkeypatch):
    stop_clock(monkeypatch)
    return shop_world()


def save(world, rules, row=None, *, confirmed=(), reason="asked for", actor=None, **values):
    return save_record(
        actor=actor or world.production_admin,
        rules=rules,
        values=values,
        reason=reason,
        pk=row.pk if row else None,
        expected_version=row.version if row else None,
        confirmed=confirmed,
    )


def slot_values(world, **values):
    run = world.slot_a.run
    given = {"endpoint": world.endpoint_a, "run": run, "weekday": 0, "deliver_time": time(9)}
    return {**given, "parity": "every", "expires_on": None, **values}


def refusal(act, *args, **values):
    with pytest.raises(Refused) as refused:
        act(*args, **values)
    return refused.value


def end(world, rules, row, reason="not needed"):
    end_record(actor=world.production_admin, rules=rules, pk=row.pk, reason=reason)


def trail(action):
    return AuditEntry.objects.get(action=f"tracershop.{action}")


# --- changing -------------------------------------------------------------------------------------


@pytest.mark.requirement("TS-121")
def test_a_change_is_traced_with_old_and_new_values_and_its_reason(world):
    entry = CatalogueEntry.objects.get(endpoint=world.endpoint_a, tracer=world.fdg)
    save(world, setup.CATALOGUE, entry, overhead_factor=1.3, reason="less loss")
    traced = trail("catalogueentry_changed")
    assert traced.data == {"overhead_factor": [1.25, 1.3]}
    assert (traced.reason, traced.actor_id) == ("less loss", world.production_admin.pk)
    kept = entry.history.first()
    assert (kept.overhead_factor, kept.history_change_reason) == (1.3, "less loss")


def test_what_is_added_is_traced_by_names(world):
    save(world, setup.ENDPOINTS, customer=world.customer_a, name="PET 2", reason="")
    data = trail("endpoint_added").data
    assert data == {"customer": [None, "Nordby Hospital"], "name": [None, "PET 2"]}


def test_a_change_to_what_it_is_already_is_none(world):
    save(world, setup.ENDPOINTS, world.endpoint_a, name=world.endpoint_a.name)
    assert not AuditEntry.objects.filter(action__startswith="tracershop.endpoint").exists()
    world.endpoint_a.refresh_from_db()
    assert world.endpoint_a.version == 1


def test_a_change_and_an_end_need_a_reason(world):
    error = refusal(save, world, setup.ENDPOINTS, world.endpoint_a, name="X", reason=" ")
    assert error.code == "reason_needed"
    assert refusal(end, world, setup.SLOTS, world.slot_a, reason="").code == "reason_needed"


@pytest.mark.requirement("PT-022")
def test_the_second_of_two_savers_of_the_same_version_is_shown_what_differs(world):
    endpoint = Endpoint.objects.get(pk=world.endpoint_a.pk)
    save(world, setup.ENDPOINTS, endpoint, name="PET North")
    with pytest.raises(StaleRecord) as stale:
        save(world, setup.ENDPOINTS, endpoint, name="PET South")
    assert [(each.theirs, each.yours) for each in stale.value.differences] == [
        ("PET North", "PET South")
    ]


@pytest.mark.django_db(transaction=True)
def test_of_two_who_add_the_same_slot_at_once_one_is_told_that_it_is_there():
    world = shop_world()

    def add():
        forget_held(world.production_admin)
        return save(world, setup.SLOTS, **slot_values(world))

    outcomes = at_once(add, add)
    refused = [each for each in outcomes if isinstance(each, Refused)]
    # it comes first as an overlap, or as the same slot where both looked before either wrote
    assert [each.code for each in refused] in (["unconfirmed"], ["taken"])
    assert DeliverySlot.objects.filter(deliver_time=time(9)).count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_endpoint_is_not_ended_while_a_slot_is_added_to_it():
    world = shop_world()
    endpoint = Endpoint.objects.create(customer=world.customer_a, name="New")

    def add():
        forget_held(world.production_admin)
        values = slot_values(world, endpoint=endpoint)
        return save(world, setup.SLOTS, confirmed=["not_in_catalogue"], **values)

    def stop():
        forget_held(world.production_admin)
        return end(world, setup.ENDPOINTS, endpoint)

    outcomes = at_once(add, stop)
    refused = [each.code for each in outcomes if isinstance(each, Refused)]
    assert refused in (["gone"], ["in_use"])
    ended = not Endpoint.objects.filter(pk=endpoint.pk).exists()
    assert ended != DeliverySlot.objects.filter(endpoint=endpoint).exists()


@pytest.mark.parametrize(
    ("rules", "values"),
    [
        (setup.CUSTOMERS, lambda w: {"name": w.customer_b.name, "unit": w.region}),
        (setup.CUSTOMERS, lambda w: {"name": "C", "unit": w.region, "dispenser_id": 2}),
        (setup.ENDPOINTS, lambda w: {"customer": w.customer_a, "name": w.endpoint_a.name}),
        (setup.CATALOGUE, lambda w: {"endpoint": w.endpoint_a, "tracer": w.fdg}),
        (setup.ISOTOPES, lambda w: {"symbol": "F-18", "half_life_s": 6586.2,
                                    "source": ISOTOPES["F-18"].source}),
        (setup.TRACERS, lambda w: {"name": "FDG", "isotope": w.fdg.isotope, "kind": "activity",
                                   "lot_prefix": "X", "max_vial_mbq": 100.0}),
        (setup.RUNS, lambda w: {"tracer": w.fdg, "weekday": 0, "ends_at": time(6, 30)}),
        (setup.DEADLINES, lambda w: {"order_kind": "activity", "kind": "daily", "at": time(9)}),
    ],
)  # fmt: skip
def test_a_second_one_of_the_kind_is_refused_in_a_sentence(world, rules, values):
    error = refusal(save, world, rules, **values(world))
    assert error.code == "taken"
    assert str(error) == str(rules.taken) != ""


@pytest.mark.parametrize(
    ("rules", "row", "values", "code"),
    [
        (setup.CATALOGUE, "entry", {"overhead_factor": 0.9}, "invalid"),
        (setup.CATALOGUE, "water_entry", {"max_injections": 0}, "no_injections"),
        (setup.CATALOGUE, "entry", {"tracer": "water"}, "fixed"),
        (setup.ENDPOINTS, "endpoint_a", {"customer": "customer_b"}, "fixed"),
        (setup.ISOTOPES, "isotope", {"half_life_s": 6600.0, "source": ""}, "invalid"),
        (setup.ISOTOPES, "isotope", {"half_life_s": 6600.0, "source": ISOTOPES["F-18"].source},
         "source"),
        (setup.ISOTOPES, "isotope", {"half_life_s": 0.0}, "invalid"),
        (setup.TRACERS, "fdg", {"max_vial_mbq": 0.5}, "limits"),
        (setup.SLOTS, "slot_a", {"run": "water_run"}, "fixed"),
        (setup.SLOTS, "slot_a", {"weekday": 9}, "invalid"),
        (setup.DEADLINES, "deadline", {"kind": "weekly", "weekday": None}, "weekday"),
        (setup.QUALITY_TESTS, "test", {"lower_limit": 8.0}, "limits"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_nothing_is_changed(world, rules, row, values, code):
    entries = CatalogueEntry.objects.filter(endpoint=world.endpoint_a)
    named = {
        **vars(world),
        "entry": entries.get(tracer=world.fdg),
        "water_entry": entries.get(tracer=world.water),
        "isotope": world.fdg.isotope,
        "water_run": ProductionRun.objects.create(tracer=world.water, weekday=0, ends_at=time(6)),
        "deadline": OrderDeadline.objects.get(order_kind="activity"),
        "test": QualityTest.objects.create(tracer=world.fdg, name="pH", upper_limit=7.5),
    }
    found = named[row]
    given = {
        name: named.get(value, value) if isinstance(value, str) else value
        for name, value in values.items()
    }
    assert refusal(save, world, rules, found, **given).code == code
    assert type(found).objects.get(pk=found.pk).version == found.version


# --- orders that are placed -----------------------------------------------------------------------


@pytest.mark.requirement("TS-002", "TS-004")
def test_no_change_of_the_set_up_alters_an_order_that_is_placed(world):
    order, injections = make_order(world), make_order(world, injections=2)
    before = list(Order.objects.order_by("pk").values())
    entry = CatalogueEntry.objects.get(endpoint=world.endpoint_a, tracer=world.fdg)
    isotope = world.fdg.isotope
    admin = world.production_admin
    save(world, setup.CATALOGUE, entry, overhead_factor=2.0)
    save(world, setup.SLOTS, world.slot_a, deliver_time=time(10), confirmed=["orders_stay"])
    save(world, setup.RUNS, world.slot_a.run, ends_at=time(6))
    save(world, setup.ISOTOPES, isotope, half_life_s=6600.0, source="DDEP",
         confirmed=["half_life_in_use"])  # fmt: skip
    save(world, setup.TRACERS, world.fdg, name="[18F]FDG", shelf_life_min=300)
    save(world, setup.ENDPOINTS, world.endpoint_a, name="PET")
    save(world, setup.DEADLINES, OrderDeadline.objects.get(order_kind="activity"), at=time(8))
    setup.close_days(actor=admin, days=[(MONDAY, "Closed")], reason="building work")
    assert list(Order.objects.order_by("pk").values()) == before
    assert order.pk != injections.pk


@pytest.mark.requirement("TS-001")
def test_a_tracer_that_was_ordered_keeps_its_isotope_and_kind(world):
    new = Tracer.objects.create(
        name="Test", isotope=world.fdg.isotope, kind="activity", lot_prefix="T", max_vial_mbq=9
    )
    save(world, setup.TRACERS, new, isotope=world.water.isotope)
    make_order(world)
    error = refusal(save, world, setup.TRACERS, world.fdg, isotope=world.water.isotope)
    assert error.code == "in_use"


# --- doubts ---------------------------------------------------------------------------------------


@pytest.mark.requirement("TS-002")
@pytest.mark.parametrize(
    ("values", "codes"),
    [
        ({"deliver_time": time(6)}, ["before_synthesis"]),
        ({"weekday": 2}, ["past_shelf_life"]),
        ({"deliver_time": time(8, 15), "parity": "odd"}, ["overlap"]),
        ({"expires_on": date(2026, 11, 1)}, ["over"]),
    ],
)
def test_a_slot_that_is_hardly_meant_is_saved_only_when_confirmed(world, values, codes):
    given = slot_values(world, **values)
    error = refusal(save, world, setup.SLOTS, **given)
    assert error.code == "unconfirmed"
    assert [doubt.code for doubt in error.details] == codes
    assert refusal(save, world, setup.SLOTS, confirmed=["other"], **given).code == "unconfirmed"
    slot = save(world, setup.SLOTS, confirmed=codes, **given)
    assert slot.pk
    assert trail("deliveryslot_added").data["confirmed"][1] == [error.details[0].text]


def test_a_slot_of_a_tracer_outside_the_catalogue_or_by_injections_is_doubted(world):
    run = ProductionRun.objects.create(tracer=world.water, weekday=0, ends_at=time(8, 50))
    endpoint = Endpoint.objects.create(customer=world.customer_a, name="Bare")
    error = refusal(save, world, setup.SLOTS, **slot_values(world, run=run, endpoint=endpoint))
    assert {doubt.code for doubt in error.details} == {"not_in_catalogue", "by_injections"}


def test_an_earlier_slot_of_a_run_is_doubted_when_the_run_moves_past_it(world):
    error = refusal(save, world, setup.RUNS, world.slot_a.run, ends_at=time(9))
    assert [doubt.code for doubt in error.details] == ["slots_out_of_reach"]
    assert "1" in error.details[0].text


# --- ending ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "row", "uses"),
    [
        (setup.CUSTOMERS, "customer_a", ["Endpoints: 1", "People who represent it: 2",
                                         "Orders to come: 1"]),
        (setup.ENDPOINTS, "endpoint_a", ["Delivery slots: 6", "Catalogue entries: 2",
                                         "Orders to come: 1"]),
        (setup.SLOTS, "slot_a", ["Orders to come: 1"]),
        (setup.TRACERS, "water", ["Catalogue entries: 2"]),
    ],
)  # fmt: skip
def test_what_something_in_force_stands_on_is_not_ended(world, rules, row, uses):
    make_order(world)
    found = getattr(world, row)
    error = refusal(end, world, rules, found)
    assert (error.code, error.details) == ("in_use", uses)
    assert type(found).objects.filter(pk=found.pk).exists()


def test_a_run_and_an_isotope_and_a_catalogue_entry_are_kept_by_what_uses_them(world):
    entry = CatalogueEntry.objects.get(endpoint=world.endpoint_b, tracer=world.fdg)
    assert refusal(end, world, setup.RUNS, world.slot_a.run).details == ["Delivery slots: 3"]
    assert refusal(end, world, setup.ISOTOPES, world.fdg.isotope).details == ["Tracers: 1"]
    assert refusal(end, world, setup.CATALOGUE, entry).details == ["Delivery slots: 1"]


def test_a_slot_is_kept_by_a_standing_order_and_not_by_what_is_over_or_rejected(world):
    make_order(world, day=MONDAY - timedelta(days=7))
    make_order(world, status=Order.Status.REJECTED)
    standing = StandingOrder.objects.create(
        customer=world.customer_a, endpoint=world.endpoint_a, tracer=world.fdg, slot=world.slot_a,
        weekday=0, activity_mbq=100, starts_on=MONDAY, ordered_by=world.secretary,
    )  # fmt: skip
    assert refusal(end, world, setup.SLOTS, world.slot_a).details == ["Standing orders: 1"]
    soft_delete(standing)
    end(world, setup.SLOTS, world.slot_a)
    assert DeliverySlot.all_objects.get(pk=world.slot_a.pk).is_deleted
    assert Order.objects.filter(slot=world.slot_a).count() == 2
    assert trail("deliveryslot_ended").reason == "not needed"


@pytest.mark.requirement("PT-021")
def test_what_was_ended_by_mistake_comes_back_and_a_second_one_in_its_place_stays(world):
    end(world, setup.SLOTS, world.slot_a)
    given = {"actor": world.production_admin, "model": DeliverySlot, "pk": world.slot_a.pk}
    restore_record(**given, reason="a mistake")
    assert DeliverySlot.objects.filter(pk=world.slot_a.pk).exists()
    end(world, setup.SLOTS, DeliverySlot.objects.get(pk=world.slot_a.pk))
    save(world, setup.SLOTS, **slot_values(world, deliver_time=time(8, 15)))
    assert refusal(restore_record, **given, reason="again").code == "taken"


def test_a_deadline_is_changed_and_never_ended(world):
    deadline = OrderDeadline.objects.get(order_kind="activity")
    with pytest.raises(PermissionDenied):
        end(world, setup.DEADLINES, deadline)


# --- who ------------------------------------------------------------------------------------------


@pytest.mark.requirement("TS-006", "PT-016")
@pytest.mark.parametrize("who", ["producer", "superuser", "secretary", "external"])
def test_only_production_admins_set_up(world, who):
    person = getattr(world, who)
    with pytest.raises(PermissionDenied):
        save(world, setup.ENDPOINTS, world.endpoint_a, name="Mine", actor=person)
    with pytest.raises(PermissionDenied):
        save(world, setup.SLOTS, actor=person, **slot_values(world))
    with pytest.raises(PermissionDenied):
        end_record(actor=person, rules=setup.SLOTS, pk=world.slot_a.pk, reason="because")
    with pytest.raises(PermissionDenied):
        setup.close_days(actor=person, days=[(MONDAY, "Mine")], reason="because")


@pytest.mark.requirement("PT-012")
def test_an_admin_of_one_unit_sets_up_nothing_of_another(world):
    admin = make_user("Local Admin")
    give(admin, "tracershop.production_admin", world.customer_a.unit)
    save(world, setup.ENDPOINTS, world.endpoint_a, name="Own", actor=admin)
    error = refusal(save, world, setup.ENDPOINTS, world.endpoint_b, name="Not", actor=admin)
    assert error.code == "gone"
    with pytest.raises(PermissionDenied):
        save(world, setup.ENDPOINTS, customer=world.customer_b, name="Not", actor=admin)
    with pytest.raises(PermissionDenied):  # nor is one's own handed over to another unit
        save(world, setup.CUSTOMERS, world.customer_a, unit=world.region, actor=admin)
    assert Customer.objects.get(pk=world.customer_a.pk).unit == world.customer_a.unit


# --- closed days, live ----------------------------------------------------------------------------


@pytest.mark.requirement("TS-002")
def test_days_are_closed_together_or_not_at_all(world):
    ClosedDay.objects.create(day=date(2027, 1, 1), name="Nytårsdag")
    given = {"actor": world.production_admin, "reason": "holidays"}
    days = [(date(2027, 3, 26), "Langfredag"), (date(2027, 1, 1), "Nytårsdag")]
    assert refusal(setup.close_days, days=days, **given).code == "taken"
    assert refusal(setup.close_days, days=[], **given).code == "none"
    assert ClosedDay.objects.count() == 1
    setup.close_days(days=days[:1], **given)
    closed = ClosedDay.objects.get(day=date(2027, 3, 26))
    assert (closed.name, closed.history.get().history_change_reason) == ("Langfredag", "holidays")
    assert trail("closedday_added").object_id == str(closed.pk)


@pytest.mark.requirement("TS-120")
def test_open_shops_bookings_and_boards_are_told(world, monkeypatch):
    make_order(world)
    told = []
    for place in ("tracershop.selectors.topics", "portal.operations.setup.services"):
        monkeypatch.setattr(f"{place}.publish", lambda topic, what, key=None: told.append(topic))
    save(world, setup.SLOTS, **slot_values(world))
    assert told == [
        "tracershop/setup/deliveryslot", customer_topic(world.customer_a.pk), BOOKINGS,
        day_topic(MONDAY),
    ]  # fmt: skip
    told.clear()
    setup.close_days(
        actor=world.production_admin, days=[(date(2027, 1, 1), "Nytårsdag")], reason="holidays"
    )
    customers = {customer_topic(world.customer_a.pk), customer_topic(world.customer_b.pk)}
    assert {"tracershop/setup/closedday", *customers} < set(told)


def test_every_kind_has_an_isotope_deadline_too(world):
    save(world, setup.DEADLINES, order_kind="isotope", kind="weekly", weekday=3, at=time(13))
    deadline = OrderDeadline.objects.get(order_kind="isotope")
    assert (deadline.weekday, deadline.at) == (3, time(13))
    assert Isotope.objects.count() == 2
