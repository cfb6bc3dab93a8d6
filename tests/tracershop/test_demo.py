"""The demo's data: there on whatever day and at whatever hour it is first loaded."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from django.apps import apps
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice
from tracershop.demo.shop import FDG, NORTH_1
from tracershop.demo.staff import EXTERNAL_PASSWORD
from tracershop.models import (
    Batch,
    Booking,
    CatalogueEntry,
    Certification,
    Customer,
    Endpoint,
    Order,
    QualityResult,
    Release,
    Shipment,
    ShippedOrder,
    Tracer,
    Vial,
)
from tracershop.selectors.schedule import Calendar, visible_slots
from tracershop.selectors.shipments import DELIVERY_NOTE, TRANSPORT_DOCUMENT
from tracershop.services.certificates import (
    KIND,
    issue_release_certificate,
    releases_without_certificate,
)
from tracershop.services.shipments import issue_papers, shipments_without_papers

from portal.access.decision import can
from portal.accounts.models import User
from portal.documents.models import IssuedDocument
from portal.operations.demo import all_people, load_all
from portal.records.context import ServiceActor
from portal.signing.crypto import check_pin_rules
from portal.signing.models import Signature
from portal.signing.services import State, verify_many
from tests.tracershop.factories import local, stop_clock

pytestmark = pytest.mark.django_db

WEDNESDAY = date(2026, 11, 18)
STATUSES = {"ordered", "accepted", "released", "rejected"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tracershop.demo.examples.watched_folder", lambda: tmp_path)
    return tmp_path


def rows() -> dict[str, int]:
    return {
        model._meta.label: model._base_manager.count()
        for model in apps.get_models()
        if model._meta.managed and not model._meta.proxy
    }


def person(sub: str) -> User:
    return User.objects.get(subject=sub)


@pytest.mark.requirement("OP-001")
def test_a_second_load_on_the_same_day_changes_nothing(folder, monkeypatch):
    stop_clock(monkeypatch, local(WEDNESDAY, 9))
    load_all()
    before = rows()
    stop_clock(monkeypatch, local(WEDNESDAY, 19, 30))
    load_all()
    assert rows() == before
    # files of both dispensers to try the import with
    names = sorted(path.name for path in (folder / "examples").iterdir())
    assert [name[:3] for name in names] == ["VAL", "dis"]


def test_the_next_morning_only_what_the_new_day_needs_is_added(folder, monkeypatch):
    stop_clock(monkeypatch, local(WEDNESDAY, 9))
    load_all()
    shop = [Tracer, Customer, Endpoint, CatalogueEntry, Certification, User]
    before = {model: model.all_objects.count() for model in shop}
    orders = Order.all_objects.count()
    stop_clock(monkeypatch, local(WEDNESDAY + timedelta(days=1), 7))
    load_all()
    assert {model: model.all_objects.count() for model in shop} == before
    new = Order.all_objects.order_by("pk")[orders:]
    assert {order.deliver_on for order in new} == {WEDNESDAY + timedelta(days=7)}
    assert Vial.objects.filter(
        filled_at__date=WEDNESDAY + timedelta(days=1), order__isnull=True, customer__isnull=False
    ).exists()


def test_it_holds_what_the_pages_have_to_show(folder, monkeypatch):
    stop_clock(monkeypatch, local(WEDNESDAY, 11))
    load_all()
    hospitals = Customer.objects.filter(external=False)
    assert hospitals.count() == 2
    assert Endpoint.objects.filter(customer__in=hospitals).count() == 4
    assert Customer.objects.filter(external=True).count() == 1
    assert sorted(Tracer.objects.values_list("kind", flat=True)) == [
        "activity",
        "activity",
        "injection",
        "isotope",
    ]
    today = Order.objects.filter(deliver_on=WEDNESDAY)
    assert set(today.values_list("status", flat=True)) == {"ordered", "accepted", "released"}
    yesterday = Order.objects.filter(deliver_on=WEDNESDAY - timedelta(days=1))
    assert set(yesterday.values_list("status", flat=True)) == {"released", "rejected"}
    assert set(Order.objects.values_list("status", flat=True)) == STATUSES
    assert Order.objects.filter(intended_use="animal").exists()
    assert Order.objects.exclude(late_reason="").exists()
    assert Booking.objects.filter(endpoint__isnull=True).exists()
    assert Booking.objects.filter(order__deliver_on=WEDNESDAY).exists()
    tomorrow = WEDNESDAY + timedelta(days=1)
    assert Booking.objects.filter(starts_at__date=tomorrow, order__isnull=True).exists()
    held = Vial.objects.filter(customer__isnull=True)
    assert [vial.customer_label for vial in held] == ["99-Klinik Hareskov"]
    assert set(Vial.objects.exclude(warnings=[]).values_list("warnings", flat=True)[0]) == {
        "lot_date_differs",
        "typed_by_hand",
    }
    assert Vial.objects.filter(filled_at__date=WEDNESDAY, order__status="accepted").exists()
    assert all(vial.filled_at <= timezone.now() for vial in Vial.objects.all())
    # batches in several states of their life, one of them waiting for its verdict
    assert set(Batch.objects.values_list("status", flat=True)) >= {
        "released",
        "conditionally_released",
        "rejected",
    }
    assert QualityResult.objects.filter(test__stage="full").exists()
    assert all(customer.contacts.exists() for customer in Customer.objects.all())


@pytest.mark.requirement("TS-083", "TS-086", "PT-030")
def test_every_released_order_has_one_release_a_valid_signature_and_a_certificate(
    folder, monkeypatch
):
    stop_clock(monkeypatch, local(WEDNESDAY, 9))
    load_all()
    for release_id in releases_without_certificate(before=timezone.now() + timedelta(days=1)):
        issue_release_certificate(actor=ServiceActor("certificates"), release_id=release_id)
    for order in Order.objects.all():
        in_force = Release.objects.filter(order=order, corrected_at__isnull=True)
        assert in_force.count() == (order.status == "released")
        for release in in_force:
            assert release.lots
            assert release.released_at < order.deliver_at
            documents = IssuedDocument.objects.filter(kind=KIND, object_id=str(release.pk))
            assert [document.revision for document in documents] == [1]
    released = Order.objects.filter(status="released")
    assert {order.kind for order in released} == {"activity", "injection", "isotope"}
    assert Release.objects.filter(confirmed=["less_activity"]).exists()
    releases = Signature.objects.filter(signable="tracershop.release")
    assert releases.count() == released.count()
    assert {verdict.state for verdict in verify_many(Signature.objects.all())} == {State.VALID}


@pytest.mark.requirement("OP-001", "TS-004")
@pytest.mark.parametrize(
    ("weekday", "clock"),
    [
        (0, time(0, 7)),
        (1, time(10, 50)),
        (2, time(13, 5)),
        (3, time(14)),
        (4, time(22)),
        (5, time(19, 59)),
        (6, time(12)),
    ],
)
def test_on_any_day_something_can_be_ordered_and_something_released(
    folder, monkeypatch, weekday, clock
):
    day = date(2026, 11, 16) + timedelta(days=weekday)
    now = local(day, clock.hour, clock.minute)
    stop_clock(monkeypatch, now)
    load_all()
    assert slots_after(now, day) or clock >= time(20)
    secretary = person("demo-secretary")
    days = [day + timedelta(days=offset) for offset in range(1, 5)]
    calendar = Calendar(days[0], days[-1])
    entries = {
        (entry.endpoint_id, entry.tracer_id): entry for entry in CatalogueEntry.objects.all()
    }
    orderable = [
        slot
        for each in days
        for slot in calendar.on(each, visible_slots(secretary), entries, now)
        if slot.orderable
    ]
    assert orderable
    assert Booking.objects.filter(
        starts_at__date=orderable[0].deliver_at.date(), order__isnull=True
    ).exists()
    waiting = Order.objects.filter(deliver_on=day, status="accepted", vials__expires_at__gt=now)
    assert waiting.exists()
    assert Vial.objects.filter(order__isnull=True, customer__isnull=False, filled_at__date=day)


def slots_after(now: datetime, day: date) -> list:
    """FDG to the first endpoint, still to come today: production can order for it, late."""
    weekly = visible_slots(person("demo-secretary")).filter(
        endpoint__name=NORTH_1, run__tracer__name=FDG
    )
    calendar = Calendar(day, day)
    return [slot for slot in calendar.on(day, weekly, {}, now) if slot.deliver_at > now]


@pytest.mark.requirement("TS-080", "TS-100")
def test_everybody_has_the_role_that_the_list_of_people_promises(folder, monkeypatch):
    stop_clock(monkeypatch, local(WEDNESDAY, 9))
    load_all()
    release, see_all = "tracershop.release_order", "tracershop.see_all_orders"
    for sub in ("radiochemist", "radiochemist-fdg", "trainee", "production-admin", "site-admin"):
        assert can(person(f"demo-{sub}"), release), sub
    for sub in ("secretary", "superuser", "secretary-south"):
        assert can(person(f"demo-{sub}"), "tracershop.place_order"), sub
        assert not can(person(f"demo-{sub}"), see_all), sub
    assert can(person("demo-superuser"), "tracershop.manage_mappings")
    certified = Certification.objects.values_list("user__subject", flat=True)
    assert set(certified) == {
        "demo-radiochemist",
        "demo-radiochemist-fdg",
        "demo-production-admin",
    }
    external = User.objects.get(kind="external")
    assert external.check_password(EXTERNAL_PASSWORD)
    assert TOTPDevice.objects.filter(user=external, confirmed=True).count() == 1
    assert can(external, "tracershop.place_order")
    assert not can(external, "tracershop.order_from_bookings")


def test_nobody_is_named_twice_and_every_pin_may_be_used():
    people = all_people()
    for name in ("sub", "email", "name"):
        values = [getattr(person, name) for person in people]
        assert len(values) == len(set(values))
    pins = [person.pin for person in people if person.pin]
    assert len(pins) == len(set(pins)) >= 4
    for pin in pins:
        check_pin_rules(pin)


@pytest.mark.requirement("OP-001", "TS-086")
def test_what_was_released_yesterday_left_and_has_its_papers(folder, monkeypatch):
    stop_clock(monkeypatch, local(WEDNESDAY, 9))
    load_all()
    yesterday = WEDNESDAY - timedelta(days=1)
    left = Order.objects.filter(deliver_on=yesterday, status="released", activity_mbq__gt=0)
    assert {line.order for line in ShippedOrder.objects.all()} == set(left)
    waiting = shipments_without_papers(before=local(date(2090, 1, 1), 0))
    assert len(waiting) == Shipment.objects.count() > 0
    for shipment_id in waiting[:1]:  # the worker does so for each
        issue_papers(actor=ServiceActor("papers"), shipment_id=shipment_id)
        papers = IssuedDocument.objects.filter(object_type="tracershop.shipment")
        assert {paper.kind for paper in papers} == {DELIVERY_NOTE, TRANSPORT_DOCUMENT}
