from __future__ import annotations

from django.urls import path

from portal.signing import views

app_name = "signing"

urlpatterns = [
    path("", views.pin, name="pin"),
    path("set/", views.set_pin, name="set_pin"),
    path("change/", views.change_pin, name="change_pin"),
    path("revoke/<slug:key_id>/", views.revoke_key, name="revoke_key"),
    path("log-in-again/", views.log_in_again, name="log_in_again"),
    path("verification/", views.verification, name="verification"),
]
