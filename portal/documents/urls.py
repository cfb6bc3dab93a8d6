from __future__ import annotations

from django.urls import path

from portal.documents import views

app_name = "documents"

urlpatterns = [
    path("check/", views.check, name="check"),
]
