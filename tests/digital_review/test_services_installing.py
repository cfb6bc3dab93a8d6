"""A shipped review type is installed: published, whole, and once only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from digital_review.models import FormSlot, Outcome, ReviewType
from digital_review.selectors.setup import what_is_wrong
from digital_review.services.installing import DEFINITIONS, install_review_type, shipped
from digital_review.services.setup import require_whole
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command

from portal.audit.models import AuditEntry
from portal.flows.models import FlowVersion
from portal.forms.kinds import FORMS
from portal.forms.models import FormVersion
from portal.forms.services.designs import begin_draft
from portal.organisation.models import Unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.records.services import soft_delete
from tests.support.factories import give, make_unit, make_user

pytestmark = pytest.mark.django_db
INSTALLER = ServiceActor("installer")


@pytest.fixture
def unit() -> Unit:
    return make_unit("bmf", make_unit("network", kind=Unit.Kind.INSTITUTION))


def install(unit: Unit, actor: Any = INSTALLER) -> ReviewType:
    return install_review_type(actor=actor, code="mds-bmf", unit=unit, reason="for the review")


@pytest.mark.requirement("DR-064", "DR-103", "DR-108", "DR-160")
def test_the_shipped_review_type_is_published_and_nothing_is_wrong_with_it(unit: Unit) -> None:
    made = install(unit)
    assert [slot.code for slot in made.slots.order_by("order")] == [
        "precrf", "pathology", "crf", "followup",
    ]  # fmt: skip
    assert [problem for problem in what_is_wrong(made) if problem.blocks] == []
    require_whole(made)
    assert {version.state for version in FormVersion.objects.all()} == {"published"}
    assert FlowVersion.objects.get().state == "published"
    assert AuditEntry.objects.filter(action="digital_review.review_type_installed").count() == 1


@pytest.mark.requirement("DR-075", "DR-120")
def test_its_outcomes_wait_for_responsible_specialists_to_be_named(unit: Unit) -> None:
    made = install(unit)
    outcomes = {each.code: each for each in made.outcomes.all()}
    assert {"ewog_mds", "saa", "fanconi", "cytopenia", "none"} <= outcomes.keys()
    assert [code for code, each in outcomes.items() if not each.met] == ["none"]
    assert outcomes["ewog_mds"].to_panel
    unsigned = [p.facts["outcome"] for p in what_is_wrong(made) if p.code == "nobody_signs"]
    assert len(unsigned) == len(outcomes)


def test_installing_again_changes_nothing_and_keeps_what_the_house_set_up(unit: Unit) -> None:
    made = install(unit)
    made.follow_up_months = 12
    made.save()
    soft_delete(Outcome.objects.get(code="cytopenia"))
    soft_delete(FormSlot.objects.get(code="followup"))
    counted = FormVersion.objects.count(), FlowVersion.objects.count(), AuditEntry.objects.count()
    # the flow speaks of the follow-up: with its slot gone it is as wrong as before, and left alone
    again = install(unit)
    assert again.pk == made.pk
    assert again.follow_up_months == 12
    assert not Outcome.objects.filter(code="cytopenia").exists()
    assert not FormSlot.objects.filter(code="followup").exists()
    now = FormVersion.objects.count(), FlowVersion.objects.count(), AuditEntry.objects.count()
    assert now == counted


def test_a_form_that_ships_with_a_change_becomes_the_next_version(
    unit: Unit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = install(unit)
    folder = tmp_path / "mds_bmf"
    folder.mkdir()
    for file in (DEFINITIONS / "mds_bmf").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    changed = json.loads((folder / "follow_up.json").read_text())
    changed["title"]["en"] = "Form 2, changed"
    (folder / "follow_up.json").write_text(json.dumps(changed))
    monkeypatch.setattr("digital_review.services.installing.DEFINITIONS", tmp_path)
    install(unit)
    slot = made.slots.get(code="followup")
    states = slot.design.versions.order_by("number").values_list("number", "state")
    assert list(states) == [(1, "retired"), (2, "published")]
    others = FormVersion.objects.exclude(design=slot.design)
    assert {version.number for version in others} == {1}


def test_a_draft_that_somebody_works_at_is_left_alone_and_nothing_is_half_installed(
    unit: Unit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = install(unit)
    design = made.slots.get(code="precrf").design
    begin_draft(FORMS, actor=INSTALLER, design_id=design.pk)
    folder = tmp_path / "mds_bmf"
    folder.mkdir()
    for file in (DEFINITIONS / "mds_bmf").iterdir():
        text = file.read_text().replace('"en": "Prehistory"', '"en": "History before"')
        (folder / file.name).write_text(text)
    monkeypatch.setattr("digital_review.services.installing.DEFINITIONS", tmp_path)
    with pytest.raises(Refused) as caught:
        install(unit)
    assert caught.value.code == "draft"
    assert FormVersion.objects.filter(design=design, state="published").get().number == 1


def test_what_is_not_there_or_belongs_to_others_is_refused(unit: Unit) -> None:
    assert set(shipped()) == {"mds-bmf"}
    with pytest.raises(Refused) as caught:
        install_review_type(actor=INSTALLER, code="lymphoma", unit=unit, reason="r")
    assert caught.value.code == "unknown"
    install(unit)
    with pytest.raises(Refused) as caught:
        install(make_unit("elsewhere"))
    assert caught.value.code == "elsewhere"


def test_the_review_manager_installs_at_their_own_unit_and_nobody_else_does(unit: Unit) -> None:
    manager, bureau = make_user("Mia Manager"), make_user("Bo Bureau")
    give(manager, "digital_review.review_manager", unit)
    give(bureau, "digital_review.trial_bureau", unit)
    for actor, where in ((bureau, unit), (manager, make_unit("elsewhere"))):
        with pytest.raises(PermissionDenied):
            install(where, actor)
    assert not ReviewType.all_objects.exists()
    assert install(unit, manager).unit == unit


def test_the_command_installs_and_says_what_is_wrong(
    unit: Unit, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("install_review_type", "mds-bmf", "--unit", "bmf")
    assert "MDS-BMF is installed at Bmf: 4 forms." in capsys.readouterr().out
    with pytest.raises(CommandError, match="no unit nowhere"):
        call_command("install_review_type", "mds-bmf", "--unit", "nowhere")
    with pytest.raises(CommandError, match="no review type lymphoma"):
        call_command("install_review_type", "lymphoma", "--unit", "bmf")
