from __future__ import annotations

from django.urls import path

from portal.connectors import views

app_name = "connectors"

urlpatterns = [
    path("", views.list_systems, name="systems"),
    path("systems/<str:code>/", views.show_system, name="system"),
    path("systems/<str:code>/probe/", views.probe, name="probe"),
    path("writes/", views.list_writes, name="writes"),
    path("writes/<int:pk>/", views.show_write, name="write"),
    path("writes/<int:pk>/payload/", views.show_payload, name="payload"),
    path("writes/<int:pk>/correct/", views.correct, name="correct"),
    path("writes/<int:pk>/send-again/", views.send_again, name="send_again"),
    path("writes/<int:pk>/drop/", views.drop, name="drop"),
]
