"""Each request is decided about in the capacity that its session says (PT-006, PT-011)."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from portal.access.standing import take_standing


class TakeStanding:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            take_standing(request.user, request.session, timezone.now())
        return self.get_response(request)
