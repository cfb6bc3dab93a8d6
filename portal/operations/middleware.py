"""Request numbers, and domain errors as pages."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.records.context import acting
from portal.records.errors import Refused, StaleRecord

logger = logging.getLogger(__name__)


class RequestId:
    """Numbers every request; the number stands in each log line and on the error page (TS-124)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.id = secrets.token_hex(6)  # type: ignore[attr-defined]
        with acting(request_id=request.id):  # type: ignore[attr-defined]
            response = self.get_response(request)
        response["X-Request-ID"] = request.id  # type: ignore[attr-defined]
        return response


class DomainErrors:
    """Turns what a service refused into a page (or a fragment) that says so."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, StaleRecord):
            return render(request, "records/stale.html", {"error": error}, status=409)
        if isinstance(error, Refused):
            logger.info("refused (%s): %s", error.code, error)
            status = 404 if error.code == "gone" else 422
            return render(request, "records/refused.html", {"error": error}, status=status)
        return None
