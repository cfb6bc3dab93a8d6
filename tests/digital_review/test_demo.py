"""The demo's review: patients at every stage, meetings before, now and to come; made once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from digital_review.demo.patients import COMING, PAST, TODAY
from digital_review.demo.staff import people, pins
from digital_review.models import AgendaItem, Anamnesis, Case, CaseForm, Meeting, Opinion, Patient
from digital_review.selectors.setup import what_is_wrong
from django.apps import apps

from portal.accounts.models import User
from portal.forms.models import UnsavedInput
from portal.operations.demo import load_all
from portal.records.personal import unmasked
from portal.signing.crypto import check_pin_rules
from portal.signing.models import Signature
from portal.signing.services import State, verify_many

pytestmark = pytest.mark.django_db


@pytest.fixture
def loaded(server_keys: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracershop.demo.examples.watched_folder", lambda: tmp_path)
    load_all()


def rows() -> dict[str, int]:
    return {
        model._meta.label: model._base_manager.count()
        for model in apps.get_models()
        if model._meta.managed and not model._meta.proxy
    }


@pytest.mark.requirement("DR-030", "DR-033", "DR-179", "OP-001")
def test_the_demo_shows_a_review_at_every_stage_and_a_second_load_changes_nothing(
    loaded: None,
) -> None:
    assert Case.objects.count() == len(COMING) + len(TODAY) + len(PAST) == 25
    states = Counter(Case.objects.values_list("flow_state", flat=True))
    assert set(states) == {
        "precrf_start", "precrf_complete", "info_to_pathologist", "info_complete", "review_ready",
        "followup_required", "crf_complete", "crf_signed",
    }  # fmt: skip
    assert set(CaseForm.objects.values_list("status", flat=True)) == {"draft", "complete", "locked"}
    assert Case.objects.filter(passages__forced=True).count() == 1
    assert Case.objects.filter(follow_up_due_on__isnull=False).exists()
    # two people of the same initials and birth date
    with unmasked():
        same = Counter((each.initials, each.born_on) for each in Patient.objects.all())
    assert max(same.values()) == 2
    # meetings: held, running, planned with patients on its list
    assert set(Meeting.objects.values_list("status", flat=True)) == {"held", "running", "planned"}
    coming = Meeting.objects.get(status="planned")
    assert AgendaItem.objects.filter(meeting=coming, status="to_discuss").count() == 4
    assert Opinion.objects.count() == len(PAST) * 4 + 3
    assert Anamnesis.objects.count() == 2
    assert UnsavedInput.objects.count() == 1  # the secretary is typing
    assert what_is_wrong(coming.review_type) == []
    # everything that was signed is as it was signed
    verdicts = verify_many(Signature.objects.filter(object_type="digital_review.caseform"))
    assert len(verdicts) > 10
    assert {verdict.state for verdict in verdicts} == {State.VALID}
    before = rows()
    load_all()
    assert rows() == before


def test_its_people_have_pins_where_they_sign_and_roles_by_their_groups(loaded: None) -> None:
    for pin in pins().values():
        check_pin_rules(pin)
    assert len({person.regional_id for person in people()}) == len(people())
    for person in people():
        user = User.objects.get(subject=person.sub)
        assert user.role_grants.filter(role__module="digital_review").exists(), person.name
        assert person.role.lower().split(":")[1].strip() not in user.username.lower()
