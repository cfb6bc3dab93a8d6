"""The front page: what must I do, what is wrong now, what the modules show."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils.html import format_html
from wagtail.models import Page, Site

from portal.content import demo
from portal.content.models import HomePage
from portal.registry import HomePanel, registry
from tests.support.factories import give, make_unit, make_user

pytestmark = pytest.mark.django_db


def page_for(*roles: str, name: str = "Signe Holm") -> str:
    person = make_user(name)
    unit = make_unit(f"unit-{person.pk}")
    for role in roles:
        give(person, role, unit)
    client = Client()
    client.force_login(person, backend="portal.accounts.backends.RegionalIdBackend")
    answer = client.get("/")
    assert answer.status_code == 200
    return answer.content.decode()


def good(request: object) -> str:
    return format_html("<p>{}</p>", "<a panel>")


def nothing(request: object) -> None:
    return None


def bad(request: object) -> str:
    raise RuntimeError("no panel")


@pytest.fixture
def panels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        registry,
        "home_panels",
        lambda: [
            HomePanel("all", "For everybody", f"{__name__}.good"),
            HomePanel("some", "For operators", f"{__name__}.good", ("operations.see_status",)),
            HomePanel("none", "With nothing", f"{__name__}.nothing"),
            HomePanel("bad", "That fails", f"{__name__}.bad"),
        ],
    )


def test_a_fresh_installation_leads_to_the_portal_s_home_page() -> None:
    assert isinstance(Site.objects.get(is_default_site=True).root_page.specific, HomePage)
    assert not Page.objects.filter(title__startswith="Welcome").exists()
    assert [found for problem in Page.find_problems() for found in problem] == []
    assert "Nothing waits for you" in page_for()


@pytest.mark.requirement("PT-005")
def test_the_front_page_is_for_those_who_logged_in() -> None:
    answer = Client().get("/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login")


@pytest.mark.requirement("PT-050")
def test_panels_are_shown_to_those_who_hold_their_privilege(panels: None) -> None:
    page = page_for()
    assert "For everybody" in page
    assert "&lt;a panel&gt;" in page
    assert "For operators" not in page
    assert "With nothing" not in page
    assert "For operators" in page_for("operations.operator", name="Operator")


@pytest.mark.requirement("PT-050")
def test_a_panel_that_fails_leaves_the_page_alone(panels: None) -> None:
    page = page_for()
    assert "That fails" in page
    assert "This cannot be shown just now" in page


@pytest.mark.requirement("OP-004")
def test_operators_are_told_what_is_wrong_on_the_front_page() -> None:
    assert 'hx-get="/operations/problems/"' in page_for("operations.operator")
    assert "/operations/problems/" not in page_for(name="Nobody")


def test_the_demo_s_front_page_is_written_once() -> None:
    unit = make_unit("region", name="Region Øresund")
    demo.load({}, {"region": unit})
    home = HomePage.objects.get()
    assert home.title == "Region Øresund"
    home.introduction = "<p>Changed by an editor</p>"
    home.save()
    demo.load({}, {"region": unit})
    assert "Changed by an editor" in HomePage.objects.get().introduction
