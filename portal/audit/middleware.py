"""Every request says who acts, from where: history, audit and logs read it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from portal.records.context import acting


class ActingPerson:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        with acting(
            actor=user if user.is_authenticated else None,
            acting_as=getattr(user, "acting_as", ""),
            address=request.META.get("REMOTE_ADDR", ""),
            request_id=getattr(request, "id", ""),
        ):
            return self.get_response(request)
