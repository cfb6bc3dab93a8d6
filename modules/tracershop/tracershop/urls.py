"""Tracershop's addresses, under /tracershop/."""

from __future__ import annotations

from django.urls import path

from tracershop import (
    urls_batches,
    urls_changes,
    urls_papers,
    urls_production,
    urls_setup,
    urls_shop,
    urls_standing,
)
from tracershop.views import board, certifications, orders, release, vials

app_name = "tracershop"

urlpatterns = [
    path("board/", board.board, name="board"),
    path("board/accept/", board.accept, name="accept"),
    path("board/reject/", board.reject, name="reject"),
    path("board/unreject/", board.unreject, name="unreject"),
    path("release/", release.release, name="release"),
    path("vials/", vials.vials, name="vials"),
    path("vials/<int:pk>/settle/", vials.settle, name="settle"),
    path("orders/<int:pk>/", orders.order_detail, name="order"),
    path("orders/<int:pk>/certificate/", orders.certificate, name="certificate"),
    path("certifications/", certifications.certifications, name="certifications"),
    path("certifications/add/", certifications.add, name="certify"),
    path("certifications/<int:pk>/revoke/", certifications.revoke, name="revoke_certification"),
    *urls_shop.urlpatterns,
    *urls_standing.urlpatterns,
    *urls_changes.urlpatterns,
    *urls_production.urlpatterns,
    *urls_batches.urlpatterns,
    *urls_papers.urlpatterns,
    *urls_setup.urlpatterns,
]
