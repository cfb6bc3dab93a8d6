"""Customers, catalogue, tracers and the week: what a production admin sets up: their addresses."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
