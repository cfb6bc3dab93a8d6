"""Addresses of the form editor."""

from django.http import Http404
from django.urls import path

app_name = "forms"


def soon(request: object, **_: object) -> None:
    raise Http404


urlpatterns = [
    path("", soon, name="designs"),
]
