"""Addresses of meetings and the meeting room."""

from django.http import Http404
from django.urls import path


def soon(request: object, **_: object) -> None:
    raise Http404


urlpatterns = [
    path("meetings/", soon, name="meetings"),
    path("meetings/<int:pk>/", soon, name="meeting"),
]
