"""The tables of Tracershop, a file an aggregate."""

from tracershop.models.batches import Batch, QualityResult, QualityTest, Verdict
from tracershop.models.bookings import Booking, BookingChange, ProcedureMapping, RoomMapping
from tracershop.models.catalogue import CatalogueEntry, Isotope, Tracer
from tracershop.models.certifications import Certification
from tracershop.models.customers import (
    Contact,
    Customer,
    CustomerUserObjectPermission,
    Endpoint,
    Representation,
)
from tracershop.models.orders import Order
from tracershop.models.recalls import Recall, RecallNotice
from tracershop.models.releases import Release
from tracershop.models.schedule import ClosedDay, DeliverySlot, OrderDeadline, ProductionRun
from tracershop.models.shipments import Package, Shipment, ShippedOrder
from tracershop.models.standing import StandingOrder
from tracershop.models.vials import Vial

__all__ = [
    "Batch",
    "Booking",
    "BookingChange",
    "CatalogueEntry",
    "Certification",
    "ClosedDay",
    "Contact",
    "Customer",
    "CustomerUserObjectPermission",
    "DeliverySlot",
    "Endpoint",
    "Isotope",
    "Order",
    "OrderDeadline",
    "Package",
    "ProcedureMapping",
    "ProductionRun",
    "QualityResult",
    "QualityTest",
    "Recall",
    "RecallNotice",
    "Release",
    "Representation",
    "RoomMapping",
    "Shipment",
    "ShippedOrder",
    "StandingOrder",
    "Tracer",
    "Verdict",
    "Vial",
]
