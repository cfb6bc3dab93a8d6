"""Whether the login service of the staff answers."""

from __future__ import annotations

import requests
from django.conf import settings

_TIMEOUT_S = (1.0, 2.0)  # to connect, to answer


def check_login_service() -> None:
    """Health check; also asked before anybody is sent there. Raises RuntimeError with a reason."""
    cas = settings.PORTAL_LOGIN == "cas"
    address = settings.CAS_SERVER_URL if cas else settings.OIDC_OP_JWKS_ENDPOINT
    try:
        status = requests.get(address, timeout=_TIMEOUT_S, allow_redirects=False).status_code
    except requests.RequestException as error:
        raise RuntimeError(f"{address} does not answer: {type(error).__name__}") from None
    if status >= requests.codes.server_error:
        raise RuntimeError(f"{address} answers {status}")
