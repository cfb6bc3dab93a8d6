"""The hospital in which the table is tried: two customers, each with one of everything."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.test import Client
from django.utils import timezone
from tracershop.models import (
    Batch,
    Booking,
    BookingChange,
    CatalogueEntry,
    Certification,
    ClosedDay,
    Contact,
    Order,
    OrderDeadline,
    ProcedureMapping,
    QualityTest,
    Recall,
    RecallNotice,
    Release,
    Representation,
    RoomMapping,
    Shipment,
    ShippedOrder,
    StandingOrder,
)
from tracershop.models.reach import SEE_OWN
from tracershop.selectors.shipments import DELIVERY_NOTE
from tracershop.services.batch_records import KIND as BATCH_RECORD
from tracershop.services.certificates import KIND
from tracershop.services.labels import LABEL, LABELS

from portal.access.models import (
    AccessReview,
    DirectoryGroup,
    GroupMember,
    ObjectException,
    PeopleGroup,
    Profile,
    ReviewLine,
    Role,
)
from portal.accounts.models import AccountRequest, LoginSession, User
from portal.audit.services import Access, log_access, record
from portal.documents.services import issue
from portal.inbox.services import store_message
from portal.notifications.models import Notification, OutboxMail
from portal.organisation.models import Membership, Unit
from portal.records.context import ServiceActor, acting
from portal.records.services import soft_delete
from portal.signing.models import Method, SigningKey
from tests.authorisation.expectations import NO_ROLE, World
from tests.authorisation.world_case_forms import case_form_world
from tests.authorisation.world_connectors import connectors_part
from tests.authorisation.world_digital_review_setup import review_set_up
from tests.authorisation.world_flows import flow_objects
from tests.authorisation.world_forms import forms_of
from tests.authorisation.world_meetings import meeting_world
from tests.authorisation.world_overview import overview_world
from tests.support.accounts import sign_in
from tests.support.factories import give, make_unit, make_user
from tests.support.signing import give_pin
from tests.tracershop.factories import make_booking, make_order, shop_world
from tests.tracershop.releasing import LOT, make_vial

ORDERABLE = date.today() + timedelta(days=14)


def make_world() -> World:
    shop = shop_world()
    tomorrow = timezone.now() + timedelta(days=1)
    monday = ORDERABLE - timedelta(days=ORDERABLE.weekday())
    sides = []
    for customer, endpoint, slot in (
        (shop.customer_a, shop.endpoint_a, shop.slot_a),
        (shop.customer_b, shop.endpoint_b, shop.slot_b),
    ):
        order = make_order(shop, slot=slot, day=monday)
        sides.append(
            {
                "customer": customer,
                "endpoint": endpoint,
                "slot": slot,
                "day": monday,
                "water": shop.water,
                "order": order,
                "rejected": make_order(shop, slot=slot, day=monday, status=Order.Status.REJECTED),
                "released": (released := _released(shop, slot, monday)),
                "standing": _standing(shop, slot, monday),
                **_production(shop, customer),
                **_quality(shop, released),
                **_papers(shop, slot, monday),
                **_mappings(shop, endpoint),
                **_setup(shop, endpoint),
                "changed": _changed(shop, slot, monday),
                "booked": make_booking(f"B{endpoint.pk}", tomorrow, room=f"PET {endpoint.pk}"),
                **_portal(shop, customer),
                **connectors_part(endpoint.name),
                **review_set_up(customer.unit),
                **case_form_world(customer.unit),
                **meeting_world(customer.unit),
                **overview_world(customer.unit),
                **forms_of(customer.unit),
                **flow_objects(customer.unit),
            }
        )
    make_booking("unmapped", tomorrow, room="A new room")
    return World(*sides)


def _standing(shop: Any, slot: Any, monday: date) -> StandingOrder:
    return StandingOrder.objects.create(
        customer=slot.endpoint.customer,
        endpoint=slot.endpoint,
        tracer=slot.run.tracer,
        slot=slot,
        weekday=slot.weekday,
        activity_mbq=500.0,
        starts_on=monday,
        ordered_by=shop.secretary,
    )


def _changed(shop: Any, slot: Any, monday: date) -> Order:
    """An order whose one booking was cancelled afterwards (TS-025)."""
    order = make_order(shop, slot=slot, day=monday)
    booking = make_booking(
        f"C{order.pk}", order.deliver_at, room="", order=order, status=Booking.Status.CANCELLED
    )
    BookingChange.objects.create(
        booking=booking,
        order=order,
        what=BookingChange.What.CANCELLED,
        old_starts_at=booking.starts_at,
        new_starts_at=booking.starts_at,
        proposed_mbq=0,
        obstacle="cancelled",
    )
    return order


def _released(shop: Any, slot: Any, monday: date) -> Order:
    order = make_order(shop, slot=slot, day=monday, status=Order.Status.RELEASED)
    release = Release.objects.create(order=order, released_by=shop.producer, lots=[LOT])
    issue(
        kind=KIND,
        obj=release,
        title="Release certificate",
        number=f"RC-{order.pk}",
        data={},
        template=Path(__file__).with_name("plain.typ"),
    )
    return order


def _papers(shop: Any, slot: Any, monday: date) -> dict[str, Any]:
    """A shipment, a labelled vial and a batch, each with a paper of its own."""
    order = make_order(shop, slot=slot, day=monday, status=Order.Status.RELEASED)
    shipment = Shipment.objects.create(
        customer=order.customer,
        endpoint=order.endpoint,
        ships_at=order.deliver_at,
        made_by=shop.producer,
    )
    ShippedOrder.objects.create(shipment=shipment, order=order)
    vial = make_vial(shop, customer=order.customer, order=order)
    batch = Batch.objects.create(lot=f"FDG-261123-{order.pk}", tracer=shop.fdg)
    for kind, obj in (
        (DELIVERY_NOTE, shipment),
        (LABEL, vial),
        (LABELS, order),
        (BATCH_RECORD, batch),
    ):
        template = Path(__file__).with_name("plain.typ")
        number = f"{kind}-{obj.pk}"
        issue(kind=kind, obj=obj, title="Paper", number=number, data={}, template=template)
    return {"shipment": shipment, "labelled": vial, "packed": order, "recorded_batch": batch}


def _production(shop: Any, customer: Any) -> dict[str, Any]:
    today = timezone.localdate()
    return {
        "vial": make_vial(shop, customer=None),
        "certification": Certification.objects.create(
            user=make_user(f"Releaser of {customer}"),
            tracer=shop.fdg,
            valid_from=today - timedelta(days=100),
            expires_on=today + timedelta(days=100),
            granted_by=shop.production_admin,
        ),
        "representation": Representation.objects.create(
            user=make_user(f"Clerk of {customer}"), customer=customer
        ),
    }


def _quality(shop: Any, order: Order) -> dict[str, Any]:
    """A batch that was rejected after the order was released from it, and one being recalled."""
    rejected, recalled = (
        Batch.objects.create(lot=f"FDG-261123-{number}{order.pk}", tracer=shop.fdg, status=status)
        for number, status in ((1, "rejected"), (2, "recalled"))
    )
    release = Release.objects.get(order=order)
    release.lots = [LOT, rejected.lot, recalled.lot]
    release.save()
    recall = Recall.objects.create(
        batch=recalled, reason="particles", instructions="Keep it.", started_by=shop.producer
    )
    RecallNotice.objects.create(
        recall=recall, customer=order.customer, order=order, notified_at=timezone.now()
    )
    return {"batch": rejected, "recall": recall}


def _mappings(shop: Any, endpoint: Any) -> dict[str, Any]:
    room = RoomMapping.objects.create(room=f"PET {endpoint.pk}", endpoint=endpoint)
    procedure = ProcedureMapping.objects.create(
        procedure_code="FDG-WB", endpoint=endpoint, tracer=shop.fdg, units=300.0, delay_min=60
    )
    removed = RoomMapping.objects.create(room=f"Old {endpoint.pk}", endpoint=endpoint)
    soft_delete(removed)
    return {"room": room, "procedure": procedure, "removed_room": removed}


def _setup(shop: Any, endpoint: Any) -> dict[str, Any]:
    number = endpoint.pk % 300
    return {
        "contact": Contact.objects.create(customer=endpoint.customer, name="Lis", phone="1234"),
        "entry": CatalogueEntry.objects.filter(endpoint=endpoint).order_by("pk").first(),
        "run": shop.slot_a.run,
        "deadline": OrderDeadline.objects.order_by("pk").first(),
        "closed_day": ClosedDay.objects.create(
            day=date(2031, 1, 1) + timedelta(days=number), name="Closed"
        ),
        "tracer": shop.fdg,
        "isotope": shop.fdg.isotope,
        "quality_test": QualityTest.objects.create(tracer=shop.fdg, name=f"pH {number}"),
    }


def _portal(shop: Any, customer: Any) -> dict[str, Any]:
    unit = customer.unit
    clerk = make_user(f"Clerk at {unit}")
    role = Role.objects.get(code="tracershop.shop_internal")
    account, suspended = (_external(unit, name) for name in ("Erik", "Sune"))
    suspended.suspended_at = timezone.now()
    suspended.is_active = False
    suspended.save()
    number, _new = store_message(
        channel="hl7",
        kind="OMI",
        source="RIS|RH",
        identity=f"message of {unit}",
        raw=b"x",
        keep=b"x",
        refused="not understood",
    )
    mails = {
        state: OutboxMail.objects.create(
            to="ward@hospital.invalid", subject="S", text="T", state=state
        )
        for state in OutboxMail.State.values
    }
    colleagues = [make_user(f"{name} at {unit}") for name in ("Carla", "Carl")]
    colleagues[1].suspended_at = timezone.now()
    colleagues[1].save()
    group = PeopleGroup.objects.create(name=f"Group {unit}", unit=unit)
    review = AccessReview.objects.create(
        unit=unit, place=str(unit), due_on=ORDERABLE, opened_by=shop.production_admin
    )
    grant = give(clerk, role.code, unit)
    line = ReviewLine.objects.create(
        review=review,
        grant=grant,
        person=clerk,
        unit=unit,
        place=str(unit),
        holder=str(clerk),
        held=str(role),
        since=timezone.localdate(),
    )
    return {
        "unit": unit,
        "closed_unit": _closed(unit),
        "membership": Membership.objects.create(user=clerk, unit=unit),
        "group": group,
        "group_member": GroupMember.objects.create(group=group, user=make_user(f"M of {unit}")),
        "profile": Profile.objects.create(user=clerk, name="Clerk", unit=unit),
        "access_review": review,
        "review_line": line,
        "suspended_colleague": colleagues[1],
        "session_of_colleague": LoginSession.objects.create(
            user=clerk, session_key=f"of {clerk.pk}"
        ),
        "key": give_pin(clerk),
        **_requests(unit),
        **_logged(unit),
        "grant": grant,
        "role": Role.objects.create(
            code=f"composed.{unit.code}",
            name=f"Composed {unit}",
            module="access",
            privileges=["tracershop.place_order"],
        ),
        "mapping": DirectoryGroup.objects.create(name=f"g-{unit}", role=role, unit=unit),
        "account": account,
        "suspended": suspended,
        "message": number,
        "mail": mails["waiting"],
        "given_up": mails["given_up"],
        "colleague": clerk,
        "exception": ObjectException.objects.create(
            user=clerk,
            privilege=SEE_OWN,
            object_type="tracershop.customer",
            object_id=str(customer.pk),
            object_repr=str(customer),
            unit=unit,
        ),
    }


def _closed(unit: Unit) -> Unit:
    return make_unit(f"closed-{unit.code}", unit, closed_on=timezone.localdate())


def _requests(unit: Unit) -> dict[str, Any]:
    """A request at each of its steps, by people who have nothing else to do with it."""
    made = {}
    for name, state in (("asked", "requested"), ("applied", "applied"), ("made", "created")):
        made[name] = AccountRequest.objects.create(
            module="tracershop",
            unit=unit,
            wish="to order",
            requester=make_user(f"Requester {name} {unit}"),
            owner=None if name == "asked" else make_user(f"Owner {name} {unit}"),
            administrator=make_user(f"Admin {name} {unit}") if name == "made" else None,
            person=make_user(f"New {name} {unit}"),
            name=f"New {name}",
            state=state,
            expires_on=ORDERABLE + timedelta(days=30),
        )
    return made


def _logged(unit: Unit) -> dict[str, Any]:
    return {"trail_entry": record("test.act", unit), "access_entry": log_access(Access.OPEN, unit)}


def _external(unit: Unit, name: str) -> User:
    account = make_user(f"{name} of {unit}", kind=User.Kind.EXTERNAL)
    Membership.objects.create(user=account, unit=unit)
    return account


def person_of(role: str, world: World) -> User:
    """Somebody who holds the role at their own unit, with what is theirs there."""
    unit = world.own["unit"]
    person = make_user("Petra Person")
    Membership.objects.create(user=person, unit=unit)
    if role != NO_ROLE:
        give(person, role, unit)
    if role.startswith("tracershop.shop"):
        Representation.objects.create(user=person, customer=world.own["customer"])
    stranger = make_user("Stranger")
    for side, owner in ((world.own, person), (world.others, stranger)):
        side["session"] = LoginSession.objects.create(  # type: ignore[index]
            user=owner, session_key=f"another of {owner.pk}"
        )
        with acting(actor=ServiceActor("set-up")):
            side["notification"] = Notification.objects.create(user=owner, text="note")  # type: ignore[index]
        side["person"] = owner  # type: ignore[index]
        side["own_profile"] = Profile.objects.create(user=owner, name="Other", unit=unit)  # type: ignore[index]
        side["own_key"] = give_pin(owner)  # type: ignore[index]
        side["own_passkey"] = SigningKey.objects.create(  # type: ignore[index]
            user=owner,
            method=Method.PASSKEY,
            key_id=f"passkey-{owner.pk}",
            public_pem="",
            credential_id=f"credential-{owner.pk}",
            name="Telephone",
        )
    return person


def log_in(person: User) -> Client:
    client = Client()
    sign_in(client, person)
    return client
