"""Addresses of review types."""

from django.http import Http404
from django.urls import path


def soon(request: object, **_: object) -> None:
    raise Http404


urlpatterns = [
    path("types/", soon, name="review_types"),
]
