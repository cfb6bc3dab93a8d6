"""Addresses of review types, and of the people who work with them."""

from __future__ import annotations

from django.urls import URLPattern, path

from digital_review.views import people, setup
from digital_review.views.setup_pages import PAGES
from portal.operations.setup.views import setup_urls

urlpatterns: list[URLPattern] = [
    path("types/", setup.review_types, name="review_types"),
    path("types/<int:pk>/", setup.review_type, name="review_type"),
    path("types/install/", setup.install, name="install_review_type"),
    path("people/", people.people, name="people"),
    path("people/new/", people.add, name="people_new"),
    path("people/<int:pk>/deactivate/", people.deactivate, name="people_deactivate"),
    *setup_urls(*PAGES),
]
