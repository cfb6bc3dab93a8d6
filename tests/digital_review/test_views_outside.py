"""What outside systems say of a patient, on the pages: it loads by itself, with its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from digital_review.models import Case
from digital_review.selectors.laboratory import known_of, results_of
from digital_review.services.opening import open_form
from django.test import Client
from django.utils import timezone

from portal.audit.models import AccessEntry
from portal.connectors.models import CachedAnswer
from portal.connectors.services import refresh, workers
from portal.connectors.services.writing import deliver_waiting
from portal.connectors.stand_ins.server import Fault
from portal.forms.models import FormVersion
from portal.forms.selectors import true_answers
from tests.digital_review.conducting import acting_world, begin, complete, form_of
from tests.digital_review.factories import World, form, item, publish_form
from tests.support.accounts import sign_in
from tests.support.outside import Outside, outside_systems

pytestmark = pytest.mark.django_db

NUMBER = "104217"
Go = Callable[[str], Client]
PART = {"HX-Request": "true"}


@pytest.fixture
def outside(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    monkeypatch.setattr(workers, "_send", lambda *arguments: None)
    with outside_systems(tmp_path) as running:
        settings.PORTAL_OUTSIDE_SYSTEMS = running.tables()
        yield running


@pytest.fixture
def world() -> World:
    return acting_world()


@pytest.fixture
def case(world: World) -> Case:
    return begin(world, NUMBER)


@pytest.fixture
def as_person(client: Client, world: World) -> Go:
    def go(who: str) -> Client:
        sign_in(client, world.people[who])
        return client

    return go


def _text(response: Any) -> str:
    assert response.status_code == 200, response.content
    return response.content.decode()


@pytest.mark.requirement("DR-038", "DR-043")
def test_results_stand_side_by_side_with_their_units_and_times(
    case: Case, as_person: Go, outside: Outside
) -> None:
    page = as_person("clinician")
    shown = _text(page.get(f"/digital_review/cases/{case.pk}/laboratory/"))
    for words in ("Haemoglobin", "mmol/L", "5.8", "5.4", "CMV IgG", "As of", "as of"):
        assert words.lower() in shown.lower(), words
    assert shown.count('id="result-hb-') == 1
    assert AccessEntry.objects.filter(patient=NUMBER, action="open").exists()
    part = _text(page.get(f"/digital_review/cases/{case.pk}/laboratory/", headers=PART))
    assert "<html" not in part
    assert f'data-live-topic="{results_of(NUMBER).topic}"' in part


@pytest.mark.requirement("DR-038", "DR-142")
def test_a_laboratory_that_is_away_is_said_and_old_results_are_shown_with_their_time(
    case: Case, as_person: Go, outside: Outside
) -> None:
    page = as_person("clinician")
    address = f"/digital_review/cases/{case.pk}/laboratory/"
    outside.laboratory.fault = Fault.REFUSED
    shown = _text(page.get(address))
    assert "The laboratory cannot be asked now" in shown
    outside.laboratory.fault = Fault.NONE
    assert "Haemoglobin" in _text(page.get(address))
    outside.laboratory.fault = Fault.SLOW
    CachedAnswer.objects.update(as_of=timezone.now() - timedelta(days=2))
    refresh("laboratory", "results", NUMBER)
    shown = _text(page.get(address))
    assert "These are not the newest results" in shown
    assert "Haemoglobin" in shown
    assert "It is being asked anew." in shown


def test_a_patient_whom_the_laboratory_does_not_know_is_said(
    world: World, as_person: Go, outside: Outside
) -> None:
    unknown = begin(world, "SK-0002")
    shown = _text(as_person("clinician").get(f"/digital_review/cases/{unknown.pk}/laboratory/"))
    assert "has no results of this patient" in shown


def test_a_strange_answer_is_no_result_and_a_script_in_it_is_not_run(
    case: Case, as_person: Go, outside: Outside
) -> None:
    page = as_person("clinician")
    address = f"/digital_review/cases/{case.pk}/laboratory/"
    outside.laboratory.service.results[NUMBER] = {"error": "<script>"}  # type: ignore[attr-defined]
    assert "Its answer cannot be understood." in _text(page.get(address))
    CachedAnswer.objects.all().delete()
    row = {"taken_at": "2026-11-01T08:00:00Z", "code": "x", "name": "<script>alert(1)</script>"}
    outside.laboratory.service.results[NUMBER] = [row]  # type: ignore[attr-defined]
    shown = _text(page.get(address))
    assert "&lt;script&gt;alert" in shown
    assert "<script>alert" not in shown


@pytest.mark.parametrize("who", ["clinician_south", "datamanager"])
def test_who_does_not_see_the_case_sees_no_results(
    case: Case, as_person: Go, outside: Outside, who: str
) -> None:
    address = f"/digital_review/cases/{case.pk}/laboratory/"
    assert as_person(who).get(address).status_code == 404
    assert outside.laboratory.calls == []


@pytest.mark.requirement("DR-092")
def test_first_values_come_from_the_laboratory_in_the_unit_that_is_asked(
    world: World, case: Case, outside: Outside
) -> None:
    def asked(field: str) -> dict[str, Any]:
        return {"first_value": {"connector": "laboratory", "field": field}}

    content = form(
        "counts",
        item("taken", "date", "Taken", **asked("count_taken")),
        item("hb", "decimal", "Hb", unit="mmol/L", decimals=1, **asked("hb")),
        item("ldh", "decimal", "LDH", unit="µkat/L", decimals=1, **asked("ldh")),
        item("plt", "decimal", "Platelets", unit="10⁹/L", decimals=1, **asked("thrombocytes")),
        item("karyotype", "text", "Karyotype", **asked("karyotype")),
        item("cortisol", "decimal", "Cortisol", unit="nmol/L", **asked("cortisol")),
    )
    slot = world.slots["precrf"]
    slot.design = publish_form(world.review, content)
    other = begin(world, "104219")
    slot.pk, slot.code = None, "counts"
    slot.save()
    opened = open_form(
        actor=world.people["bureau"], case=other, slot=slot, known=known_of("104219")
    )
    values = true_answers(opened).values
    assert str(values["hb"]) == "5.6"
    assert values["taken"].isoformat() == "2026-11-09"
    assert str(values["plt"]) == "46.2"
    assert values["karyotype"] == "46,XX/XY"
    assert "ldh" not in values, "another unit is another value"
    assert "cortisol" not in values


def test_without_the_laboratory_a_form_begins_without_its_values(
    outside: Outside,
) -> None:
    outside.laboratory.fault = Fault.REFUSED
    assert known_of(NUMBER) == {}


@pytest.mark.requirement("DR-118")
def test_the_form_page_s_part_warns_and_names_what_was_changed_in_the_registry(
    world: World, as_person: Go, outside: Outside
) -> None:
    old = world.slots["precrf"].design.versions.get()
    content = old.content | {}
    for part in content["sections"][0]["parts"]:
        if part["code"] == "hb":
            part["written_to"] = {"connector": "registry", "field": "A18"}
    FormVersion.objects.create(
        design=old.design, number=2, state="published", content=content,
        published_at=old.published_at,
    )  # fmt: skip
    filled = complete(
        form_of(begin(world, "SK-0009"), "precrf"), world.people["datamanager"], hb="7.1"
    )
    page, address = as_person("datamanager"), f"/digital_review/forms/{filled.pk}/registry/"
    assert "Not yet delivered to the registry" in _text(page.get(address))
    deliver_waiting("registry")
    assert "copy is the same." in _text(page.get(address))
    key = "SK-0009/mds-bmf/precrf/1"
    outside.patients.forms[key]["A18"] = "1.7"
    refresh("registry", "form", key)
    shown = _text(page.get(address))
    assert "1 answer was changed in the registry" in shown
    assert "A18 Hb" in shown
    outside.patients.forms.clear()
    refresh("registry", "form", key)
    assert "The registry does not have this form" in _text(page.get(address))
    assert as_person("datamanager_south").get(address).status_code == 404


def test_the_part_is_empty_where_nothing_is_written(
    case: Case, as_person: Go, outside: Outside
) -> None:
    draft = form_of(case, "precrf")
    assert (
        _text(as_person("datamanager").get(f"/digital_review/forms/{draft.pk}/registry/")).strip()
        == ""
    )


@pytest.mark.requirement("DR-043")
def test_the_patient_s_page_does_not_wait_for_the_laboratory_its_tab_asks(
    case: Case, as_person: Go, outside: Outside
) -> None:
    page = as_person("clinician")
    outside.laboratory.fault = Fault.SLOW
    shown = _text(page.get(f"/digital_review/cases/{case.pk}/?tab=laboratory"))
    assert "Laboratory" in shown
    assert f'hx-get="/digital_review/cases/{case.pk}/tab/laboratory/"' in shown
    assert outside.laboratory.calls == []
    outside.laboratory.fault = Fault.NONE
    tab = _text(page.get(f"/digital_review/cases/{case.pk}/tab/laboratory/", headers=PART))
    assert "Haemoglobin" in tab
    assert tab.lower().count("as of") == 1
