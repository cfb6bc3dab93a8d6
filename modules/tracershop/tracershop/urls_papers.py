"""Shipments, their papers and labels: their addresses."""

from __future__ import annotations

from django.urls import URLPattern, path

from tracershop.views import labels, shipments

urlpatterns: list[URLPattern] = [
    path("shipments/", shipments.shipments, name="shipments"),
    path("shipments/make/", shipments.make, name="make_shipment"),
    path("shipments/<int:pk>/", shipments.shipment, name="shipment"),
    path("shipments/<int:pk>/change/", shipments.change, name="change_shipment"),
    path("shipments/<int:pk>/papers/", shipments.papers, name="issue_papers"),
    path("shipments/<int:pk>/discard/", shipments.discard, name="discard_shipment"),
    path("shipments/<int:pk>/<slug:word>.pdf", shipments.paper, name="paper"),
    path("vials/scan/", labels.scan, name="scan"),
    path("vials/<int:pk>/label/", labels.vial_label, name="vial_label"),
    path("orders/<int:pk>/labels/", labels.order_labels, name="order_labels"),
    path("batches/<int:pk>/record/", labels.batch_record, name="batch_record"),
    path("batches/<int:pk>/record/issue/", labels.make_batch_record, name="make_batch_record"),
]
