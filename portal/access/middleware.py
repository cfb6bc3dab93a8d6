"""Each request is decided about in the capacity that its session says (PT-006, PT-011)."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.access.standing import is_way_back, take_standing

_NOT_THEIRS = {403, 404}


class TakeStanding:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return self.get_response(request)
        take_standing(request.user, request.session, timezone.now())
        # for error pages, which ask the database nothing
        request.acting_as = request.user.acting_as  # type: ignore[union-attr,attr-defined]
        # the first page after a switch of profile
        goes_back = request.method == "GET" and is_way_back(
            request.session, request.get_full_path()
        )
        response = self.get_response(request)
        if goes_back and response.status_code in _NOT_THEIRS and request.path != "/":
            response = redirect("/")
            messages.info(request, _("The page you were on is not part of this profile."))
            messages.get_messages(request).update(response)  # type: ignore[union-attr]
        return response
