"""Addresses of the flow editor."""

from django.http import Http404
from django.urls import path

app_name = "flows"


def soon(request: object, **_: object) -> None:
    raise Http404


urlpatterns = [
    path("", soon, name="designs"),
]
