"""Sessions ended by the login service, by a signed token (OpenID Connect Back-Channel Logout)."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from portal.accounts.interfaces.logout_token import LONGEST_AGE, LogoutToken
from portal.accounts.models import UsedLogoutToken
from portal.accounts.services.sessions import end_provider_sessions
from portal.records.errors import Refused


@transaction.atomic
def log_out_by_token(token: LogoutToken) -> int:
    """End what the (checked) token names; returns how many sessions. Nobody known is no fault.

    Raises Refused(code="replayed") when the token was acted on before.
    """
    digest = hashlib.sha256(token.token_id.encode()).hexdigest()
    _row, first = UsedLogoutToken.objects.get_or_create(digest=digest)
    if not first:
        raise Refused("the token was used before", code="replayed")
    return end_provider_sessions(subject=token.subject, session=token.session_id)


def forget_used_tokens() -> int:
    """Tokens too old to be taken again, by any clock, need not be remembered."""
    old = timezone.now() - 2 * (LONGEST_AGE + timedelta(seconds=settings.OIDC_CLOCK_SKEW_S))
    return UsedLogoutToken.objects.filter(used_at__lt=old).delete()[0]
