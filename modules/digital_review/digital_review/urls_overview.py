"""Addresses of patients in review: lists, the patient's page, letters."""

from django.http import Http404
from django.urls import path


def soon(request: object, **_: object) -> None:
    raise Http404


urlpatterns = [
    path("", soon, name="overview"),
    path("cases/<int:pk>/", soon, name="case"),
]
