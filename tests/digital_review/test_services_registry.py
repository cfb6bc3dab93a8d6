"""Forms in the registry: written when complete and signed, compared with its copy."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from digital_review.models import CaseForm
from digital_review.selectors.registry import key_of, registry_copy, written
from digital_review.services.case_forms import RULES
from digital_review.services.signing import withdraw_signature

from portal.connectors.models import QueuedWrite
from portal.connectors.services import refresh, workers
from portal.connectors.services.writing import deliver_waiting
from portal.connectors.stand_ins.server import Fault
from portal.forms.models import FormVersion
from portal.forms.services.sheets import reopen_sheet
from tests.digital_review.conducting import acting_world, begin, complete, form_of, save, signed
from tests.digital_review.factories import World, item
from tests.support.outside import Outside, outside_systems

pytestmark = pytest.mark.django_db

ROWS = {
    "kind": "group",
    "code": "biopsies",
    "title": {"en": "Biopsies", "nl": "Biopten"},
    "repeats": True,
    "items": [
        item(
            "size",
            "decimal",
            "Size",
            decimals=1,
            written_to={"connector": "registry", "field": "SIZE"},
        )
    ],
}


@pytest.fixture
def outside(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    monkeypatch.setattr(workers, "_send", lambda *arguments: None)
    with outside_systems(tmp_path) as running:
        settings.PORTAL_OUTSIDE_SYSTEMS = running.tables()
        yield running


@pytest.fixture
def world() -> World:
    """The world of the factories, whose pre-CRF goes to the registry: Hb as A18, initials."""
    world = acting_world()
    _publish(world, _with_targets)
    return world


def _publish(world: World, change: Any) -> None:
    old = world.slots["precrf"].design.versions.order_by("-number").first()
    content = deepcopy(old.content)
    change(content["sections"][0]["parts"])
    FormVersion.objects.create(
        design=old.design,
        number=old.number + 1,
        state="published",
        content=content,
        published_at=old.published_at,
    )


def _with_targets(parts: list[dict[str, Any]]) -> None:
    names = {"hb": "A18", "initials": "A3", "working": "A50", "history": "A7"}
    for part in parts:
        if part["code"] in names:
            part["written_to"] = {"connector": "registry", "field": names[part["code"]]}
        if part["code"] == "history":
            part["show_if"] = 'working == "MDS"'
    parts.append(ROWS)


def _complete(world: World, **typed: str) -> CaseForm:
    case = begin(world, "SK-0001")
    form = form_of(case, "precrf")
    return complete(form, world.people["datamanager"], hb="7.1", initials="A.B.", **typed)


@pytest.mark.requirement("DR-092", "DR-093")
def test_a_complete_form_goes_to_the_registry_with_the_answers_that_are_set_to(
    world: World, outside: Outside
) -> None:
    form = _complete(world, **{"biopsies.0.size": "1.5", "biopsies.1.size": "2"})
    assert deliver_waiting("registry") == 1
    assert outside.patients.forms == {
        "SK-0001/mds-bmf/precrf/1": {
            "form_patient": "SK-0001",
            "form_review": "mds-bmf",
            "form_slot": "precrf",
            "form_number": 1,
            "form_code": "precrf",
            "form_version": 2,
            "form_status": "complete",
            "form_completed_at": form.completed_at.isoformat(),
            "A18": "7.1",
            "A3": "A.B.",
            "A7": None,
            "A50": None,
            "biopsies": [{"SIZE": "1.5"}, {"SIZE": "2"}],
        }
    }


def test_what_is_hidden_does_not_count_there_either(world: World, outside: Outside) -> None:
    case = begin(world, "SK-0001")
    form = form_of(case, "precrf")
    who = world.people["datamanager"]
    save(form, who, working="MDS", history="a secret of an earlier answer")
    complete(form_of(case, "precrf"), who, hb="7.1", working="SAA")
    assert "secret" not in str(QueuedWrite.objects.get().payload)


@pytest.mark.requirement("DR-093")
def test_signing_withdrawing_and_opening_again_follow_in_order(
    world: World, outside: Outside
) -> None:
    form = _complete(world)
    signed(form, world.people["doctor"])
    withdraw_signature(actor=world.people["doctor"], form_id=form.pk, reason="wrong patient")
    complete(form, world.people["datamanager"])
    reopen_sheet(RULES, actor=world.people["datamanager"], sheet_id=form.pk, reason="Hb")
    payloads = QueuedWrite.objects.order_by("place").values_list("payload", flat=True)
    assert [each["form_status"] for each in payloads] == [
        "complete",
        "signed",
        "draft",
        "complete",
        "draft",
    ]
    assert deliver_waiting("registry") == 5
    assert outside.patients.forms[key_of(form)]["form_status"] == "draft"
    assert len(outside.patients.taken) == 5


@pytest.mark.requirement("DR-134")
def test_a_form_is_completed_and_signed_while_the_registry_is_away(
    world: World, outside: Outside
) -> None:
    outside.registry.fault = Fault.REFUSED
    form = signed(_complete(world), world.people["doctor"])
    deliver_waiting("registry", at_once=True)
    copy = registry_copy(form, "en")
    assert (copy.differing, copy.undelivered) == (None, True)
    outside.registry.fault = Fault.NONE
    assert deliver_waiting("registry", at_once=True) == 2
    assert outside.patients.forms[key_of(form)]["form_status"] == "signed"
    assert registry_copy(form, "en").differing == ()


@pytest.mark.requirement("DR-118")
def test_what_was_changed_in_the_registry_is_named(world: World, outside: Outside) -> None:
    form = signed(_complete(world, **{"biopsies.0.size": "1.5"}), world.people["doctor"])
    deliver_waiting("registry")
    assert refresh("registry", "form", key_of(form)).problem is None
    copy = registry_copy(form, "en")
    assert (copy.differing, copy.absent, copy.undelivered) == ((), False, False)

    outside.patients.forms[key_of(form)] |= {
        "A18": "9.9",
        "biopsies": [{"SIZE": "1.5"}, {"SIZE": "3"}],
        "form_status": "complete",
        "added": "there",
    }
    refresh("registry", "form", key_of(form))
    copy = registry_copy(form, "nl")
    assert copy.differing == ("form_status", "A18 Hb", "biopsies Biopten")

    outside.patients.forms.clear()
    refresh("registry", "form", key_of(form))
    assert registry_copy(form, "en").absent


@pytest.mark.requirement("DR-118", "DR-142")
def test_what_was_known_is_compared_while_the_registry_is_away(
    world: World, outside: Outside
) -> None:
    form = signed(_complete(world), world.people["doctor"])
    deliver_waiting("registry")
    outside.registry.fault = Fault.REFUSED
    refresh("registry", "form", key_of(form))
    copy = registry_copy(form, "en")
    assert copy.differing == ()
    assert copy.problem.code == "away"
    assert copy.as_of is not None


def test_a_number_equals_the_same_number_written_as_text(world: World, outside: Outside) -> None:
    form = _complete(world)
    deliver_waiting("registry")
    outside.patients.forms[key_of(form)]["A18"] = 7.10
    refresh("registry", "form", key_of(form))
    assert registry_copy(form, "en").differing == ()


def test_without_a_registry_or_without_targets_nothing_is_written_and_nothing_compared(
    world: World, settings: Any
) -> None:
    settings.PORTAL_OUTSIDE_SYSTEMS = {}
    form = _complete(world)
    assert not QueuedWrite.objects.exists()
    assert registry_copy(form, "en") is None
    assert written(form)["A18"] == "7.1"


def test_a_form_that_was_complete_before_there_was_a_registry_is_not_looked_for(
    world: World, settings: Any, outside: Outside
) -> None:
    declared, settings.PORTAL_OUTSIDE_SYSTEMS = settings.PORTAL_OUTSIDE_SYSTEMS, {}
    form = _complete(world)
    settings.PORTAL_OUTSIDE_SYSTEMS = declared
    assert registry_copy(form, "en") is None
    assert outside.registry.calls == []


def test_a_read_only_registry_is_not_written_to(world: World, settings: Any) -> None:
    settings.PORTAL_OUTSIDE_SYSTEMS = {
        "registry": {
            "kind": "http_json",
            "address": "https://registry.example/",
            "read_only": True,
            "resources": {"form": {"read": "forms/{key}"}},
        }
    }
    assert _complete(world).status == CaseForm.Status.COMPLETE
    assert not QueuedWrite.objects.exists()
