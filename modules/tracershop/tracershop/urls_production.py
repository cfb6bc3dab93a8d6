"""Plan, planner, moved and ghost orders, vials by hand: their addresses."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
