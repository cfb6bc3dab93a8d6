"""Nothing answers a request of nobody but login, health and static files (PT-005)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.resolvers import RoutePattern

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-005")]

# what answers nobody, and why; anything else must ask for a log-in
OPEN = {
    "accounts:login": "the way in",
    "accounts:code": "the second step of the way in: leads to its first",
    "accounts:enrol": "as above",
    "accounts:refused": "says why one is not in",
    "accounts:regional_id": "leads to the identity provider",
    "accounts:regional_id_callback": "leads back: checked by its state",
    "accounts:provider_logout": "takes tokens that the identity provider signed",
    "accounts:cas": "leads to the CAS server, where that is chosen",
    "accounts:cas_return": "leads back: checked by its state; ends the session of a ticket",
    "accounts:request_link": "says the same to everybody",
    "accounts:set_password": "shows what the one-time link opens",
    "accounts:language": "the language of the login page",
    "cms_login": "leads to the one way in",
    "page_login": "as above",
    "wagtailadmin_login": "Wagtail's own login page: hidden by cms_login",
    "wagtailcore_login": "as above",
}
REFUSE_BY_THEMSELVES = "wagtailadmin_api:"  # Wagtail's API says 403 where a page would redirect
HEALTH = re.compile(r"^(operations:)?(live|ready|health|liveness|readiness|metrics)")
SAMPLES = {
    "int": "1",
    "str": "x",
    "slug": "x",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "path": "x",
}


def every_pattern(
    resolver: Any, names: tuple[str, ...] = (), route: tuple[Any, ...] = ()
) -> Iterator[tuple[str, tuple[Any, ...], URLPattern]]:
    for pattern in resolver.url_patterns:
        here = (*route, pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = (*names, pattern.namespace) if pattern.namespace else names
            yield from every_pattern(pattern, inner, here)
        else:
            yield ":".join([*names, pattern.name or ""]), here, pattern


def sample(route: tuple[Any, ...]) -> str | None:
    """A path that the route matches; None where it is a regular expression with groups."""
    parts = []
    for pattern in route:
        if isinstance(pattern, RoutePattern):
            parts.append(
                re.sub(
                    r"<(?:(\w+):)?\w+>",
                    lambda found: SAMPLES.get(found[1] or "str", "1"),
                    str(pattern),
                )
            )
        else:
            text = str(pattern).removeprefix("^").removesuffix("$")
            if re.search(r"[\\(\[*+?]", text):
                return None
            parts.append(text)
    return "/" + "".join(parts)


PATTERNS = list(every_pattern(get_resolver()))


def is_open(name: str) -> bool:
    return name in OPEN or bool(HEALTH.match(name))


def test_every_view_that_answers_nobody_is_on_the_list() -> None:
    """By the mark that Django's middleware goes by, for every address there is."""
    marked = {
        name
        for name, _route, pattern in PATTERNS
        if not getattr(pattern.callback, "login_required", True)
    }
    unexpected = {
        name for name in marked if not is_open(name) and not name.startswith(REFUSE_BY_THEMSELVES)
    }
    assert unexpected == set()
    assert set(OPEN) <= marked


def test_every_address_sends_nobody_to_the_login_page(client: Client) -> None:
    login = reverse("accounts:login")
    tried, answered = 0, []
    for name, route, _pattern in PATTERNS:
        path = sample(route)
        if path is None or is_open(name):
            continue
        for method in (client.get, client.post):
            answer = method(path)
            tried += 1
            to_login = answer.status_code == 302 and answer["Location"].startswith(login)
            if not (to_login or answer.status_code in (401, 403)):
                answered.append((path, answer.status_code))
    assert answered == []
    assert tried > 100


@pytest.mark.parametrize(
    "path", ["/", "/any/page/", "/media/documents/x.pdf", "/documents/1/x.pdf", "/nowhere", "/api/"]
)
def test_pages_and_files_are_not_even_denied_to_nobody(client: Client, path: str) -> None:
    answer = client.get(path)
    if answer.status_code == 301:  # Django adds the slash before anybody is asked for
        answer = client.get(answer["Location"])
    assert answer.status_code in (302, 404)
    if answer.status_code == 302:
        assert answer["Location"].startswith(reverse("accounts:login"))


def test_the_open_addresses_show_nothing_but_the_way_in(client: Client) -> None:
    assert client.get(reverse("accounts:login")).status_code == 200
    assert client.get(reverse("accounts:language")).status_code == 405
    for name in ("code", "enrol"):
        assert client.get(reverse(f"accounts:{name}")).status_code == 302
