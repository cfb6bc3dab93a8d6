"""Customers, catalogue, tracers and the week: what a production admin sets up: their addresses."""

from __future__ import annotations

from django.urls import URLPattern, path

from portal.operations.setup.views import setup_urls
from tracershop.views import certifications, setup
from tracershop.views.setup_pages import PAGES

urlpatterns: list[URLPattern] = [
    path("setup/", setup.overview, name="setup"),
    path("setup/customer/<int:pk>/", setup.customer, name="setup_customer"),
    path("setup/closed-days/propose/", setup.propose_days, name="setup_propose_days"),
    path("setup/external/", setup.external, name="setup_external"),
    path("setup/external/new/", setup.external_new, name="setup_external_new"),
    path("setup/external/another/", setup.external_another, name="setup_external_another"),
    *setup_urls(*PAGES),
    path("certifications/<int:pk>/renew/", certifications.renew, name="renew_certification"),
]
