from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from portal.demo.identity_provider import Person, code_challenge, people_from, running_in_thread

pytestmark = pytest.mark.requirement("OP-001", "PT-001")
ANNA = Person("anna", "A1", "Anna Sofie Møller", "anna@x.invalid", ("GRP-1",), "Radiochemist")
VERIFIER = "v" * 43
REQUEST = {
    "client_id": "hospital-portal",
    "response_type": "code",
    "redirect_uri": "http://127.0.0.1:1/callback",
    "scope": "openid profile email groups",
    "state": "state",
    "nonce": "nonce",
    "code_challenge": code_challenge(VERIFIER),
    "code_challenge_method": "S256",
}


@pytest.fixture(scope="module")
def visitor():
    with running_in_thread([ANNA]) as issuer, httpx.Client(base_url=issuer) as client:
        yield client


def exchange(visitor: httpx.Client, verifier: str, sub: str = "anna") -> httpx.Response:
    answer = visitor.post("/oauth2/authorize", params=REQUEST, data={"sub": sub})
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    return redeem(visitor, code, verifier)


def redeem(visitor: httpx.Client, code: str, verifier: str) -> httpx.Response:
    return visitor.post(
        "/oauth2/token",
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REQUEST["redirect_uri"],
            "client_id": "hospital-portal",
            "client_secret": "demo",
            "code_verifier": verifier,
        },
    )


def test_the_challenge_is_that_of_the_standard():
    # RFC 7636, appendix B
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_page_names_people_and_roles_and_loads_nothing_from_elsewhere(visitor: httpx.Client):
    page = visitor.get("/oauth2/authorize", params=REQUEST).text
    assert "Anna Sofie Møller" in page
    assert "Radiochemist" in page
    assert "//" not in page.replace("<!DOCTYPE html>", "")


def test_a_person_logs_in_and_is_told_of_with_groups(visitor: httpx.Client):
    token = exchange(visitor, VERIFIER).json()["access_token"]
    claims = visitor.get("/userinfo", headers={"Authorization": f"Bearer {token}"}).json()
    assert claims == {
        "sub": "anna",
        "preferred_username": "A1",
        "name": "Anna Sofie Møller",
        "given_name": "Anna Sofie",
        "family_name": "Møller",
        "email": "anna@x.invalid",
        "email_verified": True,
        "groups": ["GRP-1"],
    }


@pytest.mark.parametrize(
    "change", [{"code_challenge": ""}, {"code_challenge_method": "plain"}], ids=["none", "plain"]
)
def test_a_login_without_a_hashed_challenge_is_refused(visitor: httpx.Client, change: dict):
    assert visitor.get("/oauth2/authorize", params=REQUEST | change).status_code == 400


@pytest.mark.parametrize("verifier", ["", "w" * 43])
def test_a_code_is_worth_nothing_without_its_verifier(visitor: httpx.Client, verifier: str):
    answer = exchange(visitor, verifier)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_grant"


def test_a_code_works_once(visitor: httpx.Client):
    answer = visitor.post("/oauth2/authorize", params=REQUEST, data={"sub": "anna"})
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    assert redeem(visitor, code, VERIFIER).status_code == 200
    assert redeem(visitor, code, VERIFIER).status_code == 400


def test_people_are_read_from_what_the_demo_prints():
    row = {
        "sub": "anna",
        "regional_id": "A1",
        "name": "Anna Sofie Møller",
        "email": "anna@x.invalid",
        "groups": ["GRP-1"],
        "role": "Radiochemist",
        "pin": "1234",
    }
    assert people_from([row]) == [ANNA]
