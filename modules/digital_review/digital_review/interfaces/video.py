"""The house's video service: Jitsi Meet, entered with a signed token (DR-062).

Format: https://jitsi.github.io/handbook/docs/devops-guide/devops-guide-docker/#authentication and
https://github.com/jitsi/lib-jitsi-meet/blob/master/doc/tokens.md: HS256, `iss` and `aud` the
application, `sub` the host's domain, `room`, `context.user`, and `moderator`.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

import jwt

OPENS = timedelta(minutes=15)
"""So long before the meeting begins a token begins to be valid."""
CLOSES = timedelta(hours=4)
"""So long after the meeting began it ends."""


class VideoError(ValueError):
    """What was configured or planned makes no address of a video meeting."""


def room_name(text: str) -> str:
    """A room's name as Jitsi takes it: small letters, digits and hyphens.

    Raises VideoError where nothing is left.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not name:
        raise VideoError(f"{text!r} is no name of a room")
    return name


def jitsi_address(
    host: str,
    room: str,
    *,
    app: str,
    secret: str,
    person: str,
    person_key: str,
    moderator: bool,
    starts_at: datetime,
) -> str:
    """The address at which one person enters the room, with a token that is theirs alone.

    ``host`` as ``https://meet.example.org``. Raises VideoError for a secret that is too short.
    """
    if len(secret.encode()) < 32:
        raise VideoError("the key of the video service has fewer than 32 bytes")
    name = room_name(room)
    domain = urlsplit(host).hostname
    claims = {
        "iss": app,
        "aud": app,
        "sub": domain,
        "room": name,
        "nbf": starts_at - OPENS,
        "exp": starts_at + CLOSES,
        "moderator": moderator,
        "context": {
            "user": {
                "id": person_key,
                "name": person,
                "affiliation": "owner" if moderator else "member",
            }
        },
    }
    token = jwt.encode(claims, secret, algorithm="HS256")
    return f"{host.rstrip('/')}/{quote(name)}?jwt={token}"
