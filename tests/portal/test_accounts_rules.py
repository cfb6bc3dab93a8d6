"""Who is let in and for how long; what a provider's claims must say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from portal.accounts.interfaces.claims import ClaimsError, check_id_token, read_claims
from portal.accounts.rules import NotAdmitted, SessionEnd, why_not_admitted, why_session_over

TODAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass
class Someone:
    is_active: bool = True
    suspended_at: datetime | None = None
    expires_on: date | None = None
    deleted_at: datetime | None = None


@pytest.mark.requirement("PT-002")
@pytest.mark.parametrize(
    ("person", "why"),
    [
        (Someone(), None),
        (Someone(expires_on=TODAY), None),
        (Someone(expires_on=TODAY - timedelta(days=1)), NotAdmitted.EXPIRED),
        (Someone(is_active=False), NotAdmitted.CLOSED),
        (Someone(is_active=False, suspended_at=NOW), NotAdmitted.SUSPENDED),
        (Someone(suspended_at=NOW), NotAdmitted.SUSPENDED),
        (Someone(deleted_at=NOW, suspended_at=NOW), NotAdmitted.CLOSED),
    ],
)
def test_a_person_is_admitted_until_the_last_day_unless_closed(
    person: Someone, why: NotAdmitted | None
) -> None:
    assert why_not_admitted(person, TODAY) is why


@pytest.mark.requirement("PT-004")
@pytest.mark.parametrize(
    ("started", "seen", "why"),
    [
        (timedelta(hours=11, minutes=59), timedelta(minutes=59), None),
        (timedelta(hours=12), timedelta(0), SessionEnd.ABSOLUTE),
        (timedelta(hours=2), timedelta(hours=1), SessionEnd.IDLE),
        (timedelta(hours=13), timedelta(hours=13), SessionEnd.ABSOLUTE),
    ],
)
def test_a_session_ends_when_left_alone_or_too_old(
    started: timedelta, seen: timedelta, why: SessionEnd | None
) -> None:
    over = why_session_over(
        now=NOW,
        started_at=NOW - started,
        last_seen_at=NOW - seen,
        idle=timedelta(hours=1),
        absolute=timedelta(hours=12),
    )
    assert over is why


GOOD = {"iss": "https://idp", "aud": "portal", "exp": 1, "sub": "7"}


@pytest.mark.requirement("PT-001")
@pytest.mark.parametrize(
    "payload",
    [
        GOOD,
        GOOD | {"aud": ["portal"]},
        GOOD | {"azp": "portal"},
        GOOD | {"aud": ["portal", "other"], "azp": "portal"},
    ],
)
def test_a_token_of_our_provider_for_us_is_taken(payload: dict[str, Any]) -> None:
    check_id_token(payload, issuer="https://idp", client_id="portal")


@pytest.mark.requirement("PT-001")
@pytest.mark.parametrize(
    "payload",
    [
        GOOD | {"iss": "https://idp/"},
        GOOD | {"iss": "https://other"},
        {key: value for key, value in GOOD.items() if key != "iss"},
        GOOD | {"aud": "other"},
        GOOD | {"aud": ["other"]},
        GOOD | {"aud": None},
        GOOD | {"aud": {"portal": 1}},
        GOOD | {"aud": ["portal", "other"]},
        GOOD | {"aud": ["portal", "other"], "azp": "other"},
        GOOD | {"azp": "other"},
        {key: value for key, value in GOOD.items() if key != "exp"},
    ],
)
def test_a_token_of_another_or_for_another_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(ClaimsError) as refusal:
        check_id_token(payload, issuer="https://idp", client_id="portal")
    assert refusal.value.code == "token"


@pytest.mark.requirement("PT-001")
def test_no_issuer_in_the_settings_trusts_nobody() -> None:
    with pytest.raises(ClaimsError):
        check_id_token(GOOD | {"iss": ""}, issuer="", client_id="portal")


def read(payload: dict[str, Any], userinfo: Any) -> Any:
    return read_claims(
        payload, userinfo, regional_id_claim="preferred_username", groups_claim="groups"
    )


PERSON = {"preferred_username": " RDAH0001 ", "name": "Ane Holm", "email": "ane@h.invalid"}


@pytest.mark.requirement("PT-001")
def test_claims_are_read_from_token_and_userinfo_and_the_signed_ones_win() -> None:
    claims = read(
        GOOD | {"name": "Ane Holm", "groups": ["a", 5, "b"]},
        {"sub": "7"} | PERSON | {"name": "Eva"},
    )
    assert claims.subject == "7"
    assert claims.regional_id == "RDAH0001"
    assert claims.name == "Ane Holm"
    assert claims.groups == ("a", "b")


@pytest.mark.requirement("PT-001")
@pytest.mark.parametrize(
    ("groups", "read_as"),
    [(None, ()), ("one", ("one",)), ([], ()), ({"a": 1}, ()), (7, ()), (["a\0"], ())],
)
def test_groups_that_are_missing_or_nonsense_are_no_groups(
    groups: Any, read_as: tuple[str, ...]
) -> None:
    assert read(GOOD | PERSON | {"groups": groups}, {"sub": "7"}).groups == read_as


@pytest.mark.requirement("PT-001")
@pytest.mark.parametrize("claim", ["sub", "preferred_username", "name"])
@pytest.mark.parametrize("value", [None, "", "   ", 12, ["x"], "x" * 300, "a\0b"])
def test_a_claim_that_is_missing_or_nonsense_is_refused(claim: str, value: Any) -> None:
    claims = GOOD | PERSON | {claim: value}
    with pytest.raises(ClaimsError) as refusal:
        read(claims, {"sub": claims["sub"]})
    assert refusal.value.code == "claims"


@pytest.mark.requirement("PT-001")
@pytest.mark.parametrize("userinfo", [{"sub": "8"}, {}])
def test_userinfo_about_another_subject_is_refused(userinfo: dict[str, str]) -> None:
    with pytest.raises(ClaimsError) as refusal:
        read(GOOD | PERSON, userinfo | PERSON)
    assert refusal.value.code == "token"


def test_userinfo_that_is_no_object_is_refused() -> None:
    with pytest.raises(ClaimsError):
        read(GOOD | PERSON, ["sub"])
