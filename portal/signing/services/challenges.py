"""What a person's authenticator was asked, kept for a few minutes and taken once.

In Redis and not in the session: taking a key out of it is one step, so that of two requests at once
only one has it. What is kept needs no secrecy, and whoever changes it changes the challenge.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.core.cache import cache
from django.utils.translation import gettext as _
from webauthn.helpers import bytes_to_base64url

from portal.records.errors import Refused

LASTS = timedelta(minutes=5)


class Purpose(StrEnum):
    """What an authenticator's answer may be used for."""

    REGISTER = "register"
    SIGN = "sign"


def keep(
    purpose: Purpose, *, person: Any, session: str, challenge: bytes, what: dict[str, Any]
) -> None:
    """Remember for `LASTS` what this person was asked in this session."""
    cache.set(
        _key(purpose, person, challenge),
        {"session": session, "what": what},
        timeout=LASTS.total_seconds(),
    )


def take(purpose: Purpose, *, person: Any, session: str, challenge: bytes) -> dict[str, Any]:
    """What was asked; it can be taken once. Refused: ``challenge_gone``."""
    key = _key(purpose, person, challenge)
    kept = cache.get(key)
    # the delete decides: it is true for one of those who have read it
    if kept is None or not cache.delete(key) or kept["session"] != session:
        raise Refused(
            _("That took too long, or was used already. Try again."), code="challenge_gone"
        )
    return kept["what"]


def _key(purpose: Purpose, person: Any, challenge: bytes) -> str:
    return f"signing:{purpose}:{person.pk}:{bytes_to_base64url(challenge)}"
