"""``/metrics``: for the monitoring system alone (OP-004, PT-005)."""

from __future__ import annotations

import ipaddress
import logging
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from portal.operations.metrics import exposition

logger = logging.getLogger(__name__)


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Everything measured; 403 for everybody who was not let in by the settings."""
    if not may_scrape(request):
        return HttpResponse("not for you\n", status=403, content_type="text/plain")
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)


def may_scrape(request: HttpRequest) -> bool:
    """Each of the two locks that is set must open: the address, the token. None set: nobody."""
    networks, token_file = settings.PORTAL_METRICS_NETWORKS, settings.PORTAL_METRICS_TOKEN_FILE
    if not networks and not token_file:
        return False
    try:
        return (not networks or _from_one_of(networks, request)) and (
            not token_file or _has_token(token_file, request)
        )
    except (OSError, ImproperlyConfigured):
        logger.exception("metrics: the settings let nobody in")
        return False


def _from_one_of(networks: list[str], request: HttpRequest) -> bool:
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:  # a unix socket has none
        return False
    try:
        return any(address in ipaddress.ip_network(network) for network in networks)
    except ValueError as error:
        raise ImproperlyConfigured(f"PORTAL_METRICS_NETWORKS: {error}") from error


def _has_token(token_file: str, request: HttpRequest) -> bool:
    token = Path(token_file).read_text(encoding="utf-8").strip()
    if not token:
        raise ImproperlyConfigured(f"PORTAL_METRICS_TOKEN_FILE: {token_file} is empty")
    kind, _, sent = request.headers.get("Authorization", "").partition(" ")
    return kind.lower() == "bearer" and constant_time_compare(sent.strip(), token)
