"""The signed configuration and non-clinical mode (OP-005), shown with Tracershop's settings."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import ProgrammingError, connection, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from tracershop.models import Isotope, OrderDeadline

from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.notifications.models import Notification
from portal.operations import configuration
from portal.operations.configuration import (
    in_lines,
    is_clinical,
    look_at,
    note_configurations,
    sign_configuration,
)
from portal.operations.models import ConfigurationFinding, SignedConfiguration
from portal.operations.watch import WATCH, look_once, watch_in_background
from portal.organisation.models import Unit
from portal.records.errors import Refused
from portal.registry import PortalModule, registry
from portal.signing.services import Signer, unlock, verify_all
from tests.support.accounts import sign_in
from tests.support.authenticators import SoftAuthenticator
from tests.support.factories import give, make_unit, make_user
from tests.support.passkeys import give_passkey
from tests.support.passkeys import signer as passkey_signer
from tests.support.signing import PIN, give_pin, triggers_disabled

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("OP-005")]
State = ConfigurationFinding.State


@pytest.fixture
def house() -> Unit:
    return make_unit("house")


@pytest.fixture
def physicist(house: Unit, server_keys: object) -> User:
    person = make_user("Frida Fysiker")
    give(person, "operations.configuration_signer", house)
    give_pin(person)
    return person


@pytest.fixture
def operator(house: Unit) -> User:
    person = make_user("Ole Operator")
    give(person, "operations.operator", house)
    return person


@pytest.fixture
def isotope() -> Isotope:
    OrderDeadline.objects.create(order_kind="activity", kind="daily", at="12:00")
    return Isotope.objects.create(symbol="F-18", half_life_s=6586.2, source="ICRP 107")


def module() -> PortalModule:
    return next(each for each in registry.modules() if each.label == "tracershop")


def sign(person: User, reason: str = "Compared with ICRP 107") -> SignedConfiguration:
    return sign_configuration(
        actor=person,
        module="tracershop",
        seen_digest=look_at(module()).digest,
        reason=reason,
        signer=unlock(person, PIN),
    )


def change(isotope: Isotope) -> None:
    isotope.half_life_s = 6600
    isotope.save()


def acts(*names: str) -> list[AuditEntry]:
    return list(
        AuditEntry.objects.filter(action__in=[f"operations.{name}" for name in names]).order_by(
            "pk"
        )
    )


# --- looking ---------------------------------------------------------------------------------


def test_what_was_never_signed_counts_where_the_settings_demand_a_signature(
    isotope: Isotope, settings: Settings
) -> None:
    assert look_at(module()).state is State.UNSIGNED
    assert is_clinical("tracershop")
    settings.PORTAL_REQUIRE_SIGNED_CONFIGURATION = True
    assert not is_clinical("tracershop")  # nobody has looked yet
    note_configurations(actor=WATCH)
    assert not is_clinical("tracershop")
    settings.PORTAL_REQUIRE_SIGNED_CONFIGURATION = False
    note_configurations(actor=WATCH)
    assert is_clinical("tracershop")


def test_a_signed_configuration_is_clinical_and_a_change_is_named_field_by_field(
    physicist: User, isotope: Isotope, settings: Settings
) -> None:
    settings.PORTAL_REQUIRE_SIGNED_CONFIGURATION = True
    sign(physicist)
    assert look_at(module()).state is State.SIGNED
    change(isotope)
    look = look_at(module())
    assert look.state is State.CHANGED
    assert [(c.path, c.old, c.new) for c in look.changes] == [
        ('isotopes["F-18"].half_life_s', 6586.2, 6600.0)
    ]
    isotope.half_life_s = 6586.2
    isotope.save()
    assert look_at(module()).state is State.SIGNED


def test_the_mode_is_told_and_audited_both_ways_once(
    physicist: User, operator: User, isotope: Isotope
) -> None:
    sign(physicist)
    note_configurations(actor=WATCH)
    assert acts("non_clinical", "clinical_again") == []
    change(isotope)
    note_configurations(actor=WATCH)
    note_configurations(actor=WATCH)
    (entry,) = acts("non_clinical")
    assert entry.service == "configuration watch"
    assert entry.data["state"] == "changed"
    assert entry.data["changes"] == [
        {"path": 'isotopes["F-18"].half_life_s', "old": 6586.2, "new": 6600.0}
    ]
    told = Notification.objects.filter(level="alarm", url="/operations/configuration/tracershop/")
    assert {n.user_id for n in told} == {operator.pk, physicist.pk}
    assert told.count() == 2
    assert not is_clinical("tracershop")
    sign(physicist, "Re-measured")
    assert is_clinical("tracershop")
    note_configurations(actor=WATCH)
    assert [e.action for e in acts("non_clinical", "clinical_again")] == [
        "operations.non_clinical",
        "operations.clinical_again",
    ]


def test_what_another_host_sees_differently_keeps_the_module_non_clinical(
    physicist: User, isotope: Isotope, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign(physicist)
    now = timezone.now()
    elsewhere = ConfigurationFinding.objects.create(
        module="tracershop", place="web2 web", state=State.CHANGED, clinical=False,
        digest="0" * 64, since=now, looked_at=now,
    )  # fmt: skip
    note_configurations(actor=WATCH)
    assert not is_clinical("tracershop")
    elsewhere.looked_at = now - configuration.FRESH_FOR - timedelta(seconds=1)
    elsewhere.save()  # that host runs no more
    assert is_clinical("tracershop")


def test_a_module_whose_settings_cannot_be_stated_is_non_clinical_and_harms_no_other(
    monkeypatch: pytest.MonkeyPatch, isotope: Isotope
) -> None:
    for broken in (raises, gives_a_list, gives_what_cannot_be_signed):
        monkeypatch.setattr(module(), "clinical_settings", f"{__name__}.{broken.__name__}")
        look = look_at(module())
        assert look.state is State.UNREADABLE
        assert not look.clinical
        assert look.detail


def raises() -> Any:
    raise ZeroDivisionError


def gives_a_list() -> Any:
    return []


def gives_what_cannot_be_signed() -> Any:
    return {"at": timezone.now().replace(tzinfo=None)}


def test_every_setting_is_a_line_of_its_own() -> None:
    stated = {"b": {"x": 1, "y": None}, "a": [2, {"z": 3}], "c": {}}
    assert in_lines(stated) == [
        ("a › 1", 2), ("a › 2 › z", 3), ("b › x", 1), ("b › y", None), ("c", {}),
    ]  # fmt: skip


# --- what somebody did behind the portal's back ----------------------------------------------


def test_a_signed_row_refuses_every_change(physicist: User, isotope: Isotope) -> None:
    signed = sign(physicist)
    for statement in ("UPDATE {} SET digest = ''", "DELETE FROM {}"):
        with (
            pytest.raises(ProgrammingError, match="refused"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement.format(signed._meta.db_table))


def test_settings_rewritten_by_raw_sql_break_the_signature(
    physicist: User, isotope: Isotope
) -> None:
    signed = sign(physicist)
    change(isotope)
    with triggers_disabled() as cursor:  # what was signed is made to look like what is
        cursor.execute(
            "UPDATE operations_signedconfiguration SET stated = %s::jsonb WHERE id = %s",
            [json.dumps(look_at(module()).present), signed.pk],
        )
    look = look_at(module())
    assert look.state is State.BROKEN
    assert not look.clinical
    assert "half_life_s" in look.detail


def test_a_row_without_its_signature_counts_for_nothing(physicist: User, isotope: Isotope) -> None:
    signed = sign(physicist)
    SignedConfiguration.objects.create(
        module="tracershop", stated=signed.stated, digest=signed.digest,
        signed_by=physicist, reason="inserted",
    )  # fmt: skip
    look = look_at(module())
    assert (look.state, look.detail) == (State.BROKEN, "its signature is not there")


# --- signing ---------------------------------------------------------------------------------


def test_signing_needs_the_privilege_a_reason_and_what_was_seen(
    physicist: User, operator: User, isotope: Isotope
) -> None:
    seen = look_at(module()).digest
    signer = unlock(physicist, PIN)
    asked = {"actor": physicist, "module": "tracershop", "seen_digest": seen, "signer": signer}
    with pytest.raises(PermissionDenied):
        sign_configuration(**{**asked, "actor": operator}, reason="x")
    with pytest.raises(PermissionDenied):  # a service is no person whose key it could be
        sign_configuration(**{**asked, "actor": make_user("Nobody")}, reason="x")
    refusals = {}
    for code, changed in {
        "reason_needed": {"reason": "  "},
        "gone": {"module": "nowhere"},
        "stale": {"seen_digest": "0" * 64},
    }.items():
        with pytest.raises(Refused) as refused:
            sign_configuration(**{**asked, "reason": "x", **changed})
        refusals[code] = refused.value.code
    assert refusals == {code: code for code in refusals}
    assert not SignedConfiguration.objects.exists()
    sign_configuration(**asked, reason="x")
    with pytest.raises(Refused) as refused:
        sign_configuration(**asked, reason="x")
    assert refused.value.code == "nothing_new"


def test_a_configuration_changed_while_it_was_looked_at_is_not_signed(
    physicist: User, isotope: Isotope
) -> None:
    seen = look_at(module()).digest
    change(isotope)
    with pytest.raises(Refused) as refused:
        sign_configuration(
            actor=physicist, module="tracershop", seen_digest=seen, reason="x",
            signer=unlock(physicist, PIN),
        )  # fmt: skip
    assert refused.value.code == "stale"


def test_former_signatures_stay_sound_and_say_that_they_are_superseded(
    physicist: User, isotope: Isotope
) -> None:
    sign(physicist)
    change(isotope)
    sign(physicist, "Re-measured")
    assert verify_all().faults == []
    entries = acts("configuration_signed")
    assert [(e.actor_id, e.reason) for e in entries] == [
        (physicist.pk, "Compared with ICRP 107"),
        (physicist.pk, "Re-measured"),
    ]
    assert entries[1].data["changes"] == 1


# --- pages -----------------------------------------------------------------------------------

PAGE = "/operations/configuration/tracershop/"
BAND = "is in non-clinical mode: do not rely on it for patients."


def client_of(person: User) -> Client:
    client = Client()
    sign_in(client, person)
    return client


def test_the_page_shows_what_differs_and_signs_with_the_pin(
    physicist: User, isotope: Isotope
) -> None:
    sign(physicist)
    change(isotope)
    note_configurations(actor=WATCH)
    client = client_of(physicist)
    page = client.get(PAGE).content.decode()
    for words in ("<del>6586.2</del>", "<ins>6600.0</ins>", "Changed since signing"):
        assert words in page
    assert '<th scope="row">isotopes › F-18 › half_life_s</th>' in page
    sent = {"digest": look_at(module()).digest, "reason": "Re-measured", "pin": "99999999"}
    wrong = client.post(PAGE, sent)
    assert wrong.status_code == 422
    assert "tries are left" in wrong.content.decode()
    assert "Re-measured" in wrong.content.decode()
    assert client.post(PAGE, {**sent, "pin": PIN})["Location"] == PAGE
    page = client.get(PAGE).content.decode()
    assert "As signed" in page
    assert "<del>" not in page
    assert "Re-measured" in page


@pytest.mark.requirement("PT-030")
@pytest.mark.django_db(transaction=True)
def test_a_passkey_signs_what_was_shown_and_not_what_it_became(
    physicist: User, isotope: Isotope
) -> None:
    device = SoftAuthenticator()
    give_passkey(physicist, device)
    seen = look_at(module()).digest

    def act(signer: Signer) -> SignedConfiguration:
        return sign_configuration(
            actor=physicist, module="tracershop", seen_digest=seen, reason="Compared", signer=signer
        )

    proof = passkey_signer(physicist, device, act)
    assert not SignedConfiguration.objects.exists()  # asking is a rehearsal
    act(proof)
    assert look_at(module()).state is State.SIGNED
    change(isotope)
    with pytest.raises(Refused):
        act(proof)
    assert verify_all().faults == []


def test_operators_look_but_do_not_sign_and_nobody_else_looks(
    operator: User, isotope: Isotope
) -> None:
    client = client_of(operator)
    page = client.get(PAGE).content.decode()
    assert "Sign this configuration" not in page
    sent = {"digest": look_at(module()).digest, "reason": "x", "pin": PIN}
    assert client.post(PAGE, sent).status_code == 403
    assert client.get("/operations/configuration/").status_code == 200
    assert client.get("/operations/configuration/nowhere/").status_code == 404
    stranger = client_of(make_user("Nobody"))
    assert stranger.get(PAGE).status_code == 403
    assert stranger.get("/operations/configuration/").status_code == 403
    assert Client().get(PAGE).status_code == 302


def test_a_band_stands_over_every_page_of_a_non_clinical_module_and_over_no_other(
    physicist: User, operator: User, house: Unit, isotope: Isotope
) -> None:
    give(physicist, "tracershop.production_admin", house)
    sign(physicist)
    note_configurations(actor=WATCH)
    client = client_of(physicist)
    pages = ("/tracershop/board/", "/tracershop/vials/", "/tracershop/certifications/")
    for path in pages:
        page = client.get(path)
        assert page.status_code == 200
        assert BAND not in page.content.decode()
    change(isotope)
    note_configurations(actor=WATCH)
    for path in pages:
        page = client.get(path).content.decode()
        assert 'class="band"' in page
        assert BAND in page
        assert "Its configuration is not the one that was signed." in page
    assert BAND not in client.get("/").content.decode()
    assert BAND not in client.get("/operations/").content.decode()


def test_the_status_page_and_the_lamp_tell_it(
    operator: User, physicist: User, isotope: Isotope
) -> None:
    client = client_of(operator)
    page = client.get("/operations/").content.decode()
    assert "Clinical" in page
    sign(physicist)
    change(isotope)
    note_configurations(actor=WATCH)
    page = client.get("/operations/").content.decode()
    assert "Non-clinical" in page
    assert "<strong>Signed configuration</strong>: tracershop: Its configuration is not" in page


def test_the_band_costs_one_query(
    physicist: User, isotope: Isotope, django_assert_num_queries: Any
) -> None:
    note_configurations(actor=WATCH)
    with django_assert_num_queries(1):
        is_clinical("tracershop")


# --- at the start, and from then on ----------------------------------------------------------


def test_a_look_that_fails_ends_nothing(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.setattr("portal.operations.watch.note_configurations", raises_whatever)
    monkeypatch.setattr("portal.operations.watch.connections.close_all", lambda: None)
    look_once()
    assert "the configuration could not be looked at" in caplog.text


def raises_whatever(**_: object) -> None:
    raise ZeroDivisionError


def test_a_process_is_told_not_to_watch(settings: Settings) -> None:
    settings.PORTAL_WATCH_CONFIGURATION = False
    assert watch_in_background() is None


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_a_web_process_and_a_worker_look_when_they_start(physicist: User, isotope: Isotope) -> None:
    from tests.support.processes import celery_worker, site_process

    sign(physicist)
    change(isotope)
    watching = {"PORTAL_WATCH_CONFIGURATION": "yes"}

    def found_by(service: str) -> bool:
        return ConfigurationFinding.objects.filter(
            place__endswith=f" {service}", clinical=False
        ).exists()

    for service, start in (("web", site_process), ("worker", celery_worker)):
        with start(env={**watching, "PORTAL_SERVICE": service}) as running:
            deadline = timezone.now() + timedelta(seconds=30)
            while not found_by(service):
                assert timezone.now() < deadline, running.log.read_text()[-2000:]
    assert [entry.data["state"] for entry in acts("non_clinical")] == ["changed", "changed"]
