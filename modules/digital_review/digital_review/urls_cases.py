"""Addresses of the forms of cases."""

from django.http import Http404
from django.urls import path


def soon(request: object, **_: object) -> None:
    raise Http404


urlpatterns = [
    path("forms/", soon, name="forms"),
    path("forms/<int:pk>/", soon, name="form"),
]
