"""Plan, planner, moved and ghost orders, vials by hand: their addresses."""

from __future__ import annotations

from django.urls import URLPattern, path

from tracershop.views import manual_vials, planning, production_orders

urlpatterns: list[URLPattern] = [
    path("plan/", planning.plan, name="production_plan"),
    path("planner/", planning.planner, name="planner"),
    path("orders/<int:pk>/move/", production_orders.move, name="move_order"),
    path("orders/ghost/", production_orders.add_ghost, name="ghost_order"),
    path("vials/add/", manual_vials.add, name="add_vial"),
    path("vials/<int:pk>/edit/", manual_vials.edit, name="edit_vial"),
]
