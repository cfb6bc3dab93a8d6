"""Shipments and their papers: what may leave, what they say, that no issued one is altered."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.utils import timezone, translation
from pyhanko.pdf_utils.reader import PdfFileReader
from tracershop.models import Order, Package, Release, Shipment, ShippedOrder
from tracershop.rules.transport import PackageKind
from tracershop.selectors.shipments import DELIVERY_NOTE, TRANSPORT_DOCUMENT, cargo_of
from tracershop.services.packing import PackageSpec
from tracershop.services.papers import delivery_note_data, transport_data
from tracershop.services.release import release_orders
from tracershop.services.shipments import (
    change_shipment,
    discard_shipment,
    issue_papers,
    make_shipment,
    shipments_without_papers,
    withdraw_papers,
)

from portal import serverkeys
from portal.audit.models import AuditEntry
from portal.documents.models import DocumentSupersession, IssuedDocument
from portal.documents.sealing import SealState, verify_seal
from portal.documents.services import current
from portal.records.context import ServiceActor
from portal.records.errors import Refused, StaleRecord
from portal.registry import registry
from tests.portal.test_documents_pdf import pages
from tests.tracershop.factories import MONDAY, local, shop_world
from tests.tracershop.releasing import (
    LOT,
    RELEASE_AT,
    accepted,
    at_once,
    make_vial,
    signer,
    wanted,
)

pytestmark = pytest.mark.django_db

LEAVES_AT = local(MONDAY, 7, 40)
FORM = "liquid, fludeoxyglucose in saline"


@pytest.fixture
def world():
    world = shop_world()
    world.fdg.chemical_form = FORM
    world.fdg.save()
    world.customer_a.address = "Nordbyvej 1\n1000 Nordby"
    world.customer_a.save()
    return world


def released(world, *, vials=1, **values):
    """An order that the producer released from vials of its own."""
    order = accepted(world, **values)
    chosen = [make_vial(world, customer=order.customer) for _ in range(vials)]
    release_orders(
        actor=world.producer,
        requests=[wanted(order, *chosen, confirmed={"less_activity"})],
        signer=signer(world.producer),
        now=RELEASE_AT,
    )
    return Order.objects.get(pk=order.pk)


def packed(*orders, kind=PackageKind.TYPE_A, surface=0.05, at_1m=0.0021):
    return PackageSpec(kind, surface, at_1m, frozenset(order.pk for order in orders))


def ship(world, *packages, at=LEAVES_AT, actor=None, carrier="Nordkørsel"):
    return make_shipment(
        actor=actor or world.producer, packages=packages, ships_at=at, carrier=carrier
    )


def take_back(order):
    """What a correction does to the order and its release."""
    release = Release.objects.get(order=order)
    release.corrected_at, release.correction_reason = timezone.now(), "wrong vial"
    release.save()
    order.status = Order.Status.ACCEPTED
    order.save()


def papers_of(shipment):
    return {
        document.number: not hasattr(document, "supersession")
        for document in IssuedDocument.objects.filter(object_type="tracershop.shipment").order_by(
            "pk"
        )
        if document.object_id == str(shipment.pk)
    }


# --- making one -------------------------------------------------------------------------------


@pytest.mark.requirement("TS-086")
def test_released_orders_leave_in_packages_whose_index_and_category_are_computed(world):
    one, two = released(world), released(world)
    shipment = ship(world, packed(one, two), carrier=" Nordkørsel ")
    assert (shipment.endpoint, shipment.carrier) == (world.endpoint_a, "Nordkørsel")
    (package,) = Package.objects.all()
    assert package.orders == [one.pk, two.pk]
    assert (package.transport_index, package.category) == (0.3, "II-YELLOW")
    assert set(ShippedOrder.objects.values_list("order_id", flat=True)) == {one.pk, two.pk}
    assert AuditEntry.objects.filter(action="tracershop.order_shipped").count() == 2


def test_an_excepted_package_has_neither_index_nor_category(world):
    order = released(world, activity_mbq=10.0)
    vial = order.vials.get()
    vial.activity_mbq = 50.0
    vial.save()
    ship(world, packed(order, kind=PackageKind.EXCEPTED, surface=0.004, at_1m=0))
    package = Package.objects.get()
    assert (package.transport_index, package.category) == (None, "")


@pytest.mark.requirement("TS-086")
def test_a_package_beyond_a_limit_is_refused_with_what_and_where(world):
    one, two = released(world), released(world)
    with pytest.raises(Refused) as refused:
        ship(world, packed(one), packed(two, kind=PackageKind.EXCEPTED, surface=0.2, at_1m=0.004))
    assert refused.value.code == "packages"
    limit, surface = refused.value.details
    assert limit.startswith("Package 2 holds ")
    assert surface == (
        "Package 2: 0.2 mSv/h at the surface; an excepted package has at most 0.005 mSv/h."
    )
    assert Shipment.objects.count() == 0
    with pytest.raises(Refused) as refused:
        ship(world, packed(one, surface=2.5, at_1m=0.15))
    assert "transport index of 15.0 and 2.5 mSv/h" in refused.value.details[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"status": "accepted"}, "is Accepted, not released."),
        ({"vials": 0}, "has no vials: how much leaves with it is not known."),
        ({"at": local(MONDAY, 6, 30)}, "was filled after it is said to leave."),
        ({"at": local(MONDAY, 16, 51)}, "has expired when it leaves."),
    ],
)
def test_what_cannot_leave_is_refused_with_the_reason(world, change, sentence):
    order = released(world)
    if "status" in change:
        order.status = change["status"]
        order.save()
    if "vials" in change:
        vial = order.vials.get()
        vial.order = None
        vial.save()
    with pytest.raises(Refused) as refused:
        ship(world, packed(order), at=change.get("at", LEAVES_AT))
    assert refused.value.code == "not_shippable"
    assert any(sentence in detail for detail in refused.value.details)


def test_a_shipment_is_of_one_endpoint_day_and_use(world):
    here = released(world)
    there = released(world, slot=world.slot_b)
    mice = released(world, intended_use="animal")
    for other, sentence in ((there, "one endpoint"), (mice, "Human and preclinical")):
        with pytest.raises(Refused) as refused:
            ship(world, packed(here, other))
        assert sentence in " ".join(refused.value.details)


@pytest.mark.parametrize("who", ["secretary", "external"])
def test_only_production_ships(world, who):
    order = released(world)
    with pytest.raises((Refused, PermissionDenied)):
        ship(world, packed(order), actor=getattr(world, who))
    assert Shipment.objects.count() == 0


def test_an_order_packed_twice_or_nothing_at_all_is_refused(world):
    order = released(world)
    for packages in ((), (packed(order), packed(order))):
        with pytest.raises(Refused) as refused:
            ship(world, *packages)
        assert refused.value.code == "not_shippable"


def test_an_order_is_shipped_once(world):
    order = released(world)
    first = ship(world, packed(order))
    with pytest.raises(Refused) as refused:
        ship(world, packed(order))
    assert refused.value.details == [f"Order {order.pk} is in shipment {first.pk} already."]


@pytest.mark.requirement("TS-086")
@pytest.mark.django_db(transaction=True)
def test_two_people_at_the_same_moment_make_one_shipment(world):
    order = released(world)

    def act():
        return ship(world, packed(order)).pk

    outcomes = at_once(*[act] * 4)
    refusals = [each for each in outcomes if isinstance(each, Refused)]
    assert len(refusals) == 3
    assert all(each.code == "not_shippable" for each in refusals)
    assert ShippedOrder.objects.count() == Shipment.objects.count() == Package.objects.count() == 1


def test_the_database_keeps_an_order_in_one_shipment_and_says_so_in_words(world, monkeypatch):
    order = released(world)
    ship(world, packed(order))
    monkeypatch.setattr("tracershop.services.shipments.refuse_shipped", lambda *_: None)
    with pytest.raises(Refused, match="Somebody else shipped"):
        ship(world, packed(order))
    assert Shipment.objects.count() == 1


# --- the papers -------------------------------------------------------------------------------


@pytest.mark.requirement("TS-086")
def test_the_papers_are_sealed_pdfs_and_say_what_leaves(world):
    order = released(world, vials=2)
    shipment = ship(world, packed(order))
    note, transport = issue_papers(actor=world.producer, shipment_id=shipment.pk)
    for document in (note, transport):
        pdf = bytes(document.pdf)
        assert len(PdfFileReader(io.BytesIO(pdf)).embedded_signatures) == 1
        assert verify_seal(pdf, serverkeys.load_sealing().certificate) is SealState.INTACT
    (text,) = pages(bytes(transport.pdf))
    for part in (
        "UN 2915 RADIOACTIVE MATERIAL, TYPE A PACKAGE, non-special form",
        "non fissile or fissile-excepted, 7, (E)",
        FORM,
        "F-18",
        "II-YELLOW",
        "TRANSPORT INDEX 0.3",
        "Rigshavnens Radiofarmaci",
        "Nordby Hospital, Nordby PET",
        "1000 Nordby",
        "GBq",
        "0.0021 mSv/h",
    ):
        assert part.replace(" ", "") in text.replace(" ", ""), part
    (text,) = pages(bytes(note.pdf))
    release = Release.objects.get(order=order)
    for part in ("HUMAN USE", LOT, f"RC-{order.pk}-{release.pk}", "Karen Brandt", "Signature"):
        assert part in text
    assert (note.issued_by, transport.issued_by) == (world.producer, world.producer)


@pytest.mark.requirement("TS-086")
def test_the_activity_is_that_at_the_time_of_leaving(world):
    order = released(world)
    shipment = ship(world, packed(order))
    vial = order.vials.get()
    passed_s = (LEAVES_AT - vial.filled_at).total_seconds()
    left_gbq = 2400.0 * 2 ** (-passed_s / 6586.2) / 1000
    (package,) = transport_data(cargo_of(shipment))["packages"]
    assert package["activity"] == f"{left_gbq:.2f} GBq"
    assert package["contents"] == [
        {"isotope": "F-18", "form": FORM, "activity": f"{left_gbq:.2f} GBq"}
    ]


def test_the_delivery_note_says_preclinical_moved_and_bare_isotope(world):
    order = released(world, intended_use="animal")
    order.moved_from_slot, order.moved_from_at = world.slot_a_late, local(MONDAY, 11, 30)
    order.kind = Order.Kind.ISOTOPE
    order.save()
    shipment = ship(world, packed(order))
    note, _transport = issue_papers(actor=world.producer, shipment_id=shipment.pk)
    text = " ".join(pages(bytes(note.pdf)))
    assert "PRECLINICAL USE" in text
    assert "NOT FOR HUMANS" in text
    assert "Moved to an earlier delivery: ordered for 23 Nov 2026 11:30" in text
    assert "bare isotope" in text


@pytest.mark.requirement("TS-086")
def test_issuing_again_gives_the_same_papers_and_a_change_gives_the_next_version(world):
    one, two = released(world), released(world)
    shipment = ship(world, packed(one), packed(two))
    first = issue_papers(actor=world.producer, shipment_id=shipment.pk)
    before = {document.pk: bytes(document.pdf) for document in first}
    again = issue_papers(actor=world.producer, shipment_id=shipment.pk)
    assert [document.pk for document in again] == [document.pk for document in first]
    change_shipment(
        actor=world.producer,
        shipment_id=shipment.pk,
        expected_version=shipment.version,
        packages=[packed(one)],
        ships_at=LEAVES_AT,
        carrier="Nordkørsel",
        reason="the second stays",
    )
    key = shipment.pk
    assert papers_of(shipment) == {f"DN-{key}": False, f"TD-{key}": False}
    issue_papers(actor=world.producer, shipment_id=shipment.pk)
    assert papers_of(shipment) == {
        f"DN-{key}": False,
        f"TD-{key}": False,
        f"DN-{key}-r2": True,
        f"TD-{key}-r2": True,
    }
    for document in IssuedDocument.objects.filter(pk__in=before):
        assert bytes(document.pdf) == before[document.pk]
    assert DocumentSupersession.objects.filter(reason="the second stays").count() == 2
    ship(world, packed(two))  # what was left out can leave otherwise


def test_a_shipment_that_somebody_else_changed_is_not_overwritten(world):
    order = released(world)
    shipment = ship(world, packed(order))
    given = {
        "actor": world.producer,
        "shipment_id": shipment.pk,
        "expected_version": shipment.version,
        "packages": [packed(order)],
        "ships_at": LEAVES_AT + timedelta(minutes=5),
        "carrier": "",
        "reason": "late",
    }
    change_shipment(**given)
    with pytest.raises(StaleRecord):
        change_shipment(**given)
    with pytest.raises(Refused, match="reason"):
        change_shipment(**{**given, "reason": " "})


@pytest.mark.requirement("TS-084", "TS-086")
def test_an_order_that_was_taken_back_stops_the_papers(world):
    one, two = released(world), released(world)
    shipment = ship(world, packed(one, two))
    issue_papers(actor=world.producer, shipment_id=shipment.pk)
    take_back(one)
    withdraw_papers(one, "the release was corrected")
    assert set(papers_of(shipment).values()) == {False}
    with pytest.raises(Refused) as refused:
        issue_papers(actor=world.producer, shipment_id=shipment.pk)
    assert refused.value.code == "taken_back"
    assert refused.value.details == [f"Order {one.pk} is Accepted, not released."]
    assert shipments_without_papers(before=timezone.now() + timedelta(days=1)) == []
    assert withdraw_papers(accepted(world), "not shipped at all") is None


def test_a_discarded_shipment_frees_its_orders_and_ends_its_papers(world):
    order = released(world)
    shipment = ship(world, packed(order))
    issue_papers(actor=world.producer, shipment_id=shipment.pk)
    with pytest.raises(Refused, match="reason"):
        discard_shipment(actor=world.producer, shipment_id=shipment.pk, reason="")
    discard_shipment(actor=world.producer, shipment_id=shipment.pk, reason="the car broke down")
    assert Shipment.objects.count() == ShippedOrder.objects.count() == Package.objects.count() == 0
    assert set(papers_of(shipment).values()) == {False}
    assert ship(world, packed(order)).pk != shipment.pk


@pytest.mark.parametrize("what", ["form", "consignor"])
def test_without_a_consignor_or_a_chemical_form_nothing_is_issued(world, monkeypatch, what):
    order = released(world)
    shipment = ship(world, packed(order))
    if what == "form":
        world.fdg.chemical_form = ""
        world.fdg.save()
    else:
        settings = registry.settings_for("tracershop")
        bare = type(settings)(dispenser_folder=settings.dispenser_folder)
        monkeypatch.setitem(registry._settings, "tracershop", bare)
    with pytest.raises(Refused, match="not set up"):
        issue_papers(actor=world.producer, shipment_id=shipment.pk)
    assert papers_of(shipment) == {}  # the delivery note neither: both or none


def test_the_consignor_has_a_name_and_an_address_or_neither():
    schema = type(registry.settings_for("tracershop"))
    with pytest.raises(ImproperlyConfigured, match="go together"):
        schema(dispenser_folder="/srv/files", consignor_name="Radiopharmacy")


@pytest.mark.requirement("TS-086")
def test_papers_that_nobody_issued_are_issued_by_the_worker(world, monkeypatch):
    from tracershop import tasks

    order = released(world)
    shipment = ship(world, packed(order))
    soon = timezone.now() + timedelta(minutes=2)
    monkeypatch.setattr("django.utils.timezone.now", lambda: soon)
    assert shipments_without_papers(before=soon) == [shipment.pk]
    monkeypatch.setattr(tasks.issue_shipment_papers, "delay", tasks.issue_shipment_papers)
    tasks.issue_missing_papers()
    assert shipments_without_papers(before=soon) == []
    assert current(shipment, DELIVERY_NOTE).issued_by == world.producer
    assert current(shipment, TRANSPORT_DOCUMENT) is not None


def test_what_the_worker_may_not_issue_it_leaves_to_a_person(world):
    from tracershop.tasks import issue_shipment_papers

    order = released(world)
    shipment = ship(world, packed(order))
    take_back(order)
    issue_shipment_papers(shipment.pk)
    assert papers_of(shipment) == {}


@pytest.mark.requirement("TS-086")
def test_a_paper_says_not_for_clinical_use_while_the_configuration_is_not_signed(
    world, monkeypatch
):
    order = released(world)
    shipment = ship(world, packed(order))
    cargo = cargo_of(shipment)
    for each in cargo.orders:
        each.certificate_number = "RC-1"
    monkeypatch.setattr("tracershop.services.printing.is_clinical", lambda _: False)
    assert delivery_note_data(cargo)["document"] == {"mark": "NOT FOR CLINICAL USE"}
    issued = issue_papers(actor=ServiceActor("papers"), shipment_id=shipment.pk)
    certificate = IssuedDocument.objects.get(kind="tracershop.release_certificate")
    for document in (*issued, certificate):
        assert all("NOT FOR CLINICAL USE" in page for page in pages(bytes(document.pdf)))
    monkeypatch.setattr("tracershop.services.printing.is_clinical", lambda _: True)
    assert delivery_note_data(cargo)["document"] == {}


def test_the_papers_are_written_as_the_language_writes_numbers_and_times(world):
    order = released(world)
    shipment = ship(world, packed(order))
    with translation.override("da"):
        (package,) = transport_data(cargo_of(shipment))["packages"]
    assert package["at_1m"] == "0,0021 mSv/h"
    assert package["transport_index"] == "0,3"


def test_what_a_shipment_costs_does_not_grow_with_its_orders(
    world, django_assert_max_num_queries, django_assert_num_queries
):
    few = ship(world, packed(released(world)))
    many = ship(world, packed(*[released(world) for _ in range(4)]))
    with django_assert_max_num_queries(4) as counted:
        cargo_of(few)
    with django_assert_num_queries(len(counted)):
        cargo_of(many)
