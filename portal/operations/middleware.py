"""Request numbers, and domain errors as pages."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from django.core.validators import ProhibitNullCharactersValidator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

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


class PlainCookies:
    """Forgets cookies with a NUL character: none of ours has one, and the database takes none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.COOKIES = {
            name: value for name, value in request.COOKIES.items() if "\0" not in value
        }
        return self.get_response(request)


class DomainErrors:
    """Turns what a service refused into a page (or a fragment) that says so."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Sequence[Any], values: dict[str, Any]
    ) -> HttpResponse | None:
        """The database takes no NUL character, and nobody types one."""
        lists = [each for data in (request.GET, request.POST) for _, each in data.lists()]
        sent = [value for each in [*lists, values.values()] for value in each]
        if any("\0" in value for value in sent if isinstance(value, str)):
            error = Refused(ProhibitNullCharactersValidator.message, code="nul")
            return _answer(request, "refused", error, status=422)
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, StaleRecord):
            return _answer(request, "stale", error, status=409)
        if isinstance(error, Refused):
            logger.info("refused (%s): %s", error.code, error)
            return _answer(request, "refused", error, status=404 if error.code == "gone" else 422)
        return None


def _answer(request: HttpRequest, name: str, error: Exception, *, status: int) -> HttpResponse:
    """A page; or, for what htmx sent, the message at the top of the dialog or page that sent it."""
    in_page = bool(request.htmx) and request.method not in ("GET", "HEAD")  # type: ignore[attr-defined]
    context = {"error": error, "back": _back(request), "in_page": in_page}
    if not in_page:
        return render(request, f"records/{name}.html", context, status=status)
    response = render(
        # the browser's script swaps in what comes with 409 and 422, and nothing else
        request,
        f"records/{name}_message.html",
        context,
        status=409 if status == 409 else 422,
    )
    response["HX-Retarget"] = "closest <dialog, main, body/>"
    response["HX-Reswap"] = "afterbegin show:top"
    return response


def _back(request: HttpRequest) -> str:
    """Where the person came from, if that is a page of this site; otherwise the front page."""
    came_from = request.headers.get("HX-Current-URL") or request.headers.get("Referer", "")
    known = url_has_allowed_host_and_scheme(
        came_from, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return came_from if known else "/"
