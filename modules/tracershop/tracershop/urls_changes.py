"""Changed bookings, automatic mappings, statistics: their addresses."""

from __future__ import annotations

from django.urls import URLPattern, path

from tracershop.views import booking_changes, mappings, statistics

urlpatterns: list[URLPattern] = [
    path("booking-changes/", booking_changes.booking_changes, name="booking_changes"),
    path("booking-changes/<int:pk>/apply/", booking_changes.apply, name="apply_booking_changes"),
    path(
        "booking-changes/<int:pk>/put-aside/",
        booking_changes.put_aside,
        name="put_aside_booking_changes",
    ),
    path("mappings/procedure/preview/", mappings.preview, name="preview_mapping"),
    path("mappings/procedures/<int:pk>/automatic/", mappings.automatic, name="automatic_mapping"),
    path("statistics/", statistics.statistics, name="statistics"),
    path("statistics/excel/", statistics.excel, name="statistics_excel"),
]
