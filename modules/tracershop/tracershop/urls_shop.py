"""The shop side's addresses; ``urls.py`` takes them in."""

from __future__ import annotations

from django.urls import URLPattern, path

from tracershop.views import (
    bookings,
    mappings,
    order_list,
    representatives,
    shop,
    shop_orders,
)

urlpatterns: list[URLPattern] = [
    path("shop/", shop.shop, name="shop"),
    path("shop/order/", shop_orders.order_activity, name="order_activity"),
    path("shop/inject/", shop_orders.order_injections, name="order_injections"),
    path("shop/orders/<int:pk>/edit/", shop_orders.edit, name="order_edit"),
    path("shop/orders/<int:pk>/delete/", shop_orders.delete, name="order_delete"),
    path("orders/", order_list.orders, name="orders"),
    path("orders/excel/", order_list.excel, name="orders_excel"),
    path("bookings/", bookings.bookings, name="bookings"),
    path("bookings/order/", bookings.order, name="bookings_order"),
    path("mappings/", mappings.mappings, name="mappings"),
    path("mappings/room/", mappings.map_room, name="map_room"),
    path("mappings/rooms/<int:pk>/end/", mappings.end_room, name="end_room"),
    path("mappings/procedure/", mappings.map_procedure, name="map_procedure"),
    path("mappings/procedures/<int:pk>/end/", mappings.end_procedure, name="end_procedure"),
    path("representatives/", representatives.representatives, name="representatives"),
    path("representatives/<int:pk>/end/", representatives.end, name="end_representation"),
]
