"""The radiology system's bookings in the demo, as its messages would have brought them."""

from __future__ import annotations

from datetime import date, time, timedelta

from tracershop.demo.shop import Shop
from tracershop.interfaces.hl7_orders import BookingAct, BookingMessage
from tracershop.models import Order
from tracershop.rules.moments import local_moment
from tracershop.selectors.booking_plan import plan_day
from tracershop.selectors.schedule import Calendar, site_zone
from tracershop.services.bookings import HL7, order_bookings, take_booking

# room, procedure, its text, start
_BOOKINGS = (
    ("PET1", "FDG-HELKROP", "FDG PET/CT helkrop", time(8, 30)),
    ("PET1", "FDG-HELKROP", "FDG PET/CT helkrop", time(9, 15)),
    ("PET1", "FDG-HJERNE", "FDG PET hjerne", time(11, 0)),
    ("PET1", "FDG-HELKROP", "FDG PET/CT helkrop", time(13, 45)),
    ("PET1", "VAND-HJERTE", "Vand-PET hjerte, hvile og stress", time(14, 30)),
    ("PET2", "FDG-HELKROP", "FDG PET/CT helkrop", time(8, 45)),
    ("PET2", "PSMA-HELKROP", "PSMA PET/CT helkrop", time(10, 30)),
    ("KPET1", "FDG-HELKROP", "FDG PET/CT helkrop", time(9, 30)),
    ("KPET1", "PSMA-HELKROP", "PSMA PET/CT helkrop", time(14, 30)),
    # nobody has said yet what these two mean
    ("PET1", "DOTATOC-HELKROP", "DOTATOC PET/CT helkrop", time(15, 15)),
    ("SPECT3", "KNOGLE-SPECT", "Knoglescintigrafi med SPECT", time(12, 0)),
)


def book(shop: Shop, day: date) -> None:
    """The day's bookings."""
    for number, (room, code, text, at) in enumerate(_BOOKINGS, start=1):
        take_booking(
            actor=HL7,
            booking=BookingMessage(
                act=BookingAct.UPSERT,
                accession=f"DEMO{day:%y%m%d}{number:02}",
                starts_at=local_moment(at, day, site_zone()),
                procedure_code=code,
                procedure_text=text,
                room=room,
            ),
        )


def order_from_bookings(shop: Shop, day: date, calendar: Calendar) -> list[Order]:
    """Order for what of the day could be placed, as the secretary would have done in time."""
    secretary = shop.people["demo-secretary"]
    deadline_at = calendar.deadline("activity", day)
    if deadline_at is None:
        return []
    now = deadline_at - timedelta(hours=1)
    plan = plan_day(secretary, day, now=now).plan
    placed = [key for line in plan.lines for key in line.booking_keys]
    placed += [line.booking_key for line in plan.injections]
    if not placed:
        return []
    fingerprint = plan_day(secretary, day, only=placed, now=now).fingerprint
    return order_bookings(
        actor=secretary, day=day, booking_ids=placed, fingerprint=fingerprint, now=now
    ).orders
