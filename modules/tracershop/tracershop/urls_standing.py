"""Calendar, week, standing orders: their addresses."""

from __future__ import annotations

from django.urls import URLPattern, path

from tracershop.views import standing, week

urlpatterns: list[URLPattern] = [
    path("shop/week/", week.week, name="week"),
    path("shop/week/copy/", week.copy, name="week_copy"),
    path("standing/", standing.standing, name="standing"),
    path("standing/add/", standing.add, name="standing_add"),
    path("standing/<int:pk>/edit/", standing.edit, name="standing_edit"),
    path("standing/<int:pk>/end/", standing.end, name="standing_end"),
]
