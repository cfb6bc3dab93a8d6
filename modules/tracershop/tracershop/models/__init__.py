"""The tables of Tracershop, a file an aggregate."""

from tracershop.models.bookings import Booking, ProcedureMapping, RoomMapping
from tracershop.models.catalogue import CatalogueEntry, Isotope, Tracer
from tracershop.models.certifications import Certification
from tracershop.models.customers import (
    Customer,
    CustomerUserObjectPermission,
    Endpoint,
    Representation,
)
from tracershop.models.orders import Order
from tracershop.models.releases import Release
from tracershop.models.schedule import ClosedDay, DeliverySlot, OrderDeadline, ProductionRun
from tracershop.models.vials import Batch, Vial

__all__ = [
    "Batch",
    "Booking",
    "CatalogueEntry",
    "Certification",
    "ClosedDay",
    "Customer",
    "CustomerUserObjectPermission",
    "DeliverySlot",
    "Endpoint",
    "Isotope",
    "Order",
    "OrderDeadline",
    "ProcedureMapping",
    "ProductionRun",
    "Release",
    "Representation",
    "RoomMapping",
    "Tracer",
    "Vial",
]
