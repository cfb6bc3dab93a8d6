"""In which capacity a person is here: in one of their profiles, or in another role for support.

It is kept in the (server-side) session, so one may stand differently on two devices. Where there is
no session – a task on somebody's behalf, a question about somebody else – it is the profile that
the person used last.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

KEY = "portal_standing"
ACT_AS = "access.act_as"
NEVER_ACTED = frozenset({ACT_AS, "access.administer", "access.grant_role"})
"""A role with one of these is nobody's to act in: they would grant it to others, or on and on."""
_WAY_BACK = "portal_way_back"
ACTING_LASTS = timedelta(hours=1)
"""Nobody stays in another role by forgetting it."""


@dataclass(frozen=True)
class Standing:
    """``profile_id`` None: in no profile. ``role_id`` at ``unit_id``: acting in that role there."""

    profile_id: int | None = None
    role_id: int | None = None
    unit_id: int | None = None
    acting_as: str = ""
    """The other role in words, for the banner and the audit trail; '' for one's own roles."""


def standing_in(session: Mapping[str, Any], now: datetime) -> Standing:
    """What the session says; a role that was taken too long ago is left."""
    kept = session.get(KEY) or {}
    acting = kept.get("acting")
    if acting and datetime.fromisoformat(acting["since"]) + ACTING_LASTS > now:
        return Standing(kept.get("profile"), acting["role"], acting["unit"], acting["words"])
    return Standing(kept.get("profile"))


def take_standing(user: Any, session: Mapping[str, Any], now: datetime) -> None:
    """From here on ``user`` is decided about as the session says."""
    user.standing = standing_in(session, now)
    user.acting_as = user.standing.acting_as


def standing_of(user: Any) -> Standing | None:
    """None where there is no session."""
    return getattr(user, "standing", None)


def acts_in_other_role(user: Any) -> bool:
    standing = standing_of(user)
    return standing is not None and standing.role_id is not None


def keep_profile(session: MutableMapping[str, Any], profile_id: int | None) -> None:
    session[KEY] = {**(session.get(KEY) or {}), "profile": profile_id}


def keep_role(
    session: MutableMapping[str, Any], *, role_id: int, unit_id: int, words: str, since: datetime
) -> None:
    acting = {"role": role_id, "unit": unit_id, "words": words, "since": since.isoformat()}
    session[KEY] = {**(session.get(KEY) or {}), "acting": acting}


def leave_role(session: MutableMapping[str, Any]) -> None:
    session[KEY] = {**(session.get(KEY) or {}), "acting": None}


def keep_way_back(session: MutableMapping[str, Any], path: str) -> None:
    """After a switch: the page to which the person goes back, if it is theirs in this profile."""
    session[_WAY_BACK] = path


def is_way_back(session: MutableMapping[str, Any], path: str) -> bool:
    """Whether this is that page; once."""
    found = session.get(_WAY_BACK) == path
    if found:
        del session[_WAY_BACK]
    return found
