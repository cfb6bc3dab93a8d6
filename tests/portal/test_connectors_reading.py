"""Reading from outside systems over real sockets: each fault, the cache, the breaker."""

from __future__ import annotations

import time
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from portal.connectors import breaker
from portal.connectors.breaker import condition
from portal.connectors.models import CachedAnswer
from portal.connectors.problems import Code
from portal.connectors.services import compare, read, refresh, room, workers
from portal.connectors.services.reading import keep, live_topic
from portal.connectors.stand_ins.server import Fault
from tests.support.outside import Outside, outside_systems

pytestmark = pytest.mark.django_db

PATIENT = ("registry", "patient", "104217")
READ_TIMEOUT_S = 1.0
ALLOWANCE_S = 0.9
"""Of a loaded machine; a slow answer takes 3 s here, 35 s in the demo."""


@pytest.fixture
def outside(tmp_path: Path, settings: Settings) -> Generator[Outside, None, None]:
    with outside_systems(tmp_path) as running:
        settings.PORTAL_OUTSIDE_SYSTEMS = running.tables()
        yield running


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What workers were asked."""
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(workers, "_send", lambda *arguments: sent.append(arguments))
    return sent


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    topics: list[str] = []
    monkeypatch.setattr(
        "portal.connectors.services.reading.publish", lambda topic, what: topics.append(topic)
    )
    return topics


def _age(by: timedelta) -> None:
    CachedAnswer.objects.update(as_of=timezone.now() - by)


def test_what_nobody_asked_for_yet_is_asked_for_once_and_kept(outside: Outside) -> None:
    before = timezone.now()
    reading = read(*PATIENT)
    assert reading.value == outside.patients.patients["104217"]
    assert reading.fresh
    assert reading.problem is None
    assert before <= reading.as_of <= timezone.now()
    assert read(*PATIENT) == reading
    assert outside.registry.calls == [("GET", "/patients/104217")]


@pytest.mark.requirement("DR-141")
def test_a_number_that_the_registry_does_not_know_is_known_not_to_be_there(
    outside: Outside,
) -> None:
    reading = read("registry", "patient", "999999")
    assert (reading.value, reading.is_known, reading.problem) == (None, True, None)
    assert read("registry", "patient", "999999") == reading
    assert len(outside.registry.calls) == 1


@pytest.mark.requirement("DR-144")
def test_two_people_with_the_same_initials_and_birth_date_are_told_apart_by_number(
    outside: Outside,
) -> None:
    one, other = (read("registry", "patient", number).value for number in ("104218", "104219"))
    assert (one["initials"], one["born_on"]) == (other["initials"], other["born_on"])
    assert (one["number"], other["number"]) == ("104218", "104219")
    assert one["hospital"] != other["hospital"]


FAULTS = [
    (Fault.REFUSED, Code.AWAY),
    (Fault.SLOW, Code.SLOW),
    (Fault.HALF, Code.HALF),
    (Fault.WRONG, Code.WRONG),
    (Fault.CREDENTIALS, Code.CREDENTIALS),
    (Fault.FAILING, Code.FAILED),
]


@pytest.mark.requirement("DR-142")
@pytest.mark.parametrize(("fault", "code"), FAULTS)
def test_each_fault_is_told_apart_and_nothing_of_it_is_kept(
    outside: Outside, fault: Fault, code: Code
) -> None:
    outside.registry.fault = fault
    began = time.monotonic()
    reading = read(*PATIENT)
    assert time.monotonic() - began < READ_TIMEOUT_S + ALLOWANCE_S
    assert (reading.value, reading.is_known, reading.fresh) == (None, False, False)
    assert reading.problem.code == code
    assert reading.problem.words
    assert not CachedAnswer.objects.exists()
    assert condition("registry").problem.code == code

    outside.registry.fault = Fault.NONE
    assert read(*PATIENT).value["initials"] == "A.B."
    assert condition("registry").problem is None


@pytest.mark.requirement("DR-142")
@pytest.mark.parametrize(("fault", "code"), FAULTS)
def test_whatever_the_fault_a_page_has_what_is_kept_at_once_with_its_time(
    outside: Outside, asked: list[Any], fault: Fault, code: Code
) -> None:
    kept = read(*PATIENT)
    _age(timedelta(hours=2))
    outside.registry.fault = fault
    calls = len(outside.registry.calls)
    began = time.monotonic()
    readings = [read(*PATIENT) for _ in range(5)]
    assert time.monotonic() - began < READ_TIMEOUT_S / 2
    assert len(outside.registry.calls) == calls
    for reading in readings:
        assert (reading.value, reading.fresh) == (kept.value, False)
        assert timezone.now() - reading.as_of > timedelta(hours=2)
    assert asked == [("portal.connectors.tasks.refresh_answer", *PATIENT)]

    assert refresh(*PATIENT).problem.code == code
    assert read(*PATIENT).problem.code == code, "the page says why it is old"
    assert read(*PATIENT).value == kept.value


def test_a_value_that_differs_is_told_to_its_topic_and_an_equal_one_is_not(
    outside: Outside, pushed: list[str]
) -> None:
    assert read(*PATIENT).topic == live_topic(*PATIENT)
    refresh(*PATIENT)
    assert pushed == []
    outside.patients.patients["104217"] = {"number": "104217", "initials": "A.C."}
    assert refresh(*PATIENT).value["initials"] == "A.C."
    assert pushed == [live_topic(*PATIENT)]
    del outside.patients.patients["104217"]
    assert refresh(*PATIENT).value is None
    assert len(pushed) == 2
    assert "104217" not in live_topic(*PATIENT)


def test_how_old_an_answer_may_be_can_be_said_by_who_asks(
    outside: Outside, asked: list[Any]
) -> None:
    read(*PATIENT)
    _age(timedelta(minutes=5))
    assert read(*PATIENT).fresh
    assert not read(*PATIENT, max_age=timedelta(minutes=4)).fresh


def test_an_answer_that_was_overtaken_does_not_replace_the_newer_one(outside: Outside) -> None:
    read(*PATIENT)
    keep(*PATIENT, {"old": True}, found=True, as_of=timezone.now() - timedelta(minutes=1))
    assert read(*PATIENT).value["initials"] == "A.B."


@pytest.mark.requirement("DR-142")
def test_after_three_failures_nobody_waits_any_more_until_it_is_tried_anew(
    outside: Outside, settings: Settings
) -> None:
    settings.PORTAL_OUTSIDE_SYSTEMS = outside.tables(ask_again_after_s=2.0)
    outside.registry.fault = Fault.SLOW
    codes = [read("registry", "patient", f"10421{n}").problem.code for n in range(3)]
    assert codes == [Code.SLOW] * 3
    calls = len(outside.registry.calls)
    began = time.monotonic()
    assert read("registry", "patient", "104219").problem.code == Code.OPEN
    assert time.monotonic() - began < READ_TIMEOUT_S / 2
    assert len(outside.registry.calls) == calls
    assert condition("registry").breaker == "open"
    assert read("laboratory", "results", "104217").problem is None, "the other one is asked"

    outside.registry.fault = Fault.NONE
    deadline = time.monotonic() + 10
    while (reading := read(*PATIENT)).problem is not None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert reading.value["initials"] == "A.B."
    assert condition("registry").breaker == "closed"


def test_a_system_that_does_not_come_back_is_asked_once_for_each_trial(
    outside: Outside, settings: Settings
) -> None:
    settings.PORTAL_OUTSIDE_SYSTEMS = outside.tables(ask_again_after_s=1.0, failures_to_open=1)
    outside.registry.fault = Fault.FAILING
    assert read(*PATIENT).problem.code == Code.FAILED
    assert read(*PATIENT).problem.code == Code.OPEN
    deadline = time.monotonic() + 10
    while read(*PATIENT).problem.code == Code.OPEN:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert read(*PATIENT).problem.code == Code.OPEN
    assert len(outside.registry.calls) == 2


def test_a_refusal_is_an_answer_and_opens_no_breaker(outside: Outside) -> None:
    for _ in range(5):
        assert read("laboratory", "results", "104217/../x").value is None
    assert condition("laboratory").problem is None


@pytest.mark.parametrize("key", ["", ".", "..", "x" * 201, "a\nb", "a\0"])
def test_what_can_be_no_key_is_refused_before_anybody_is_asked(outside: Outside, key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        read("registry", "patient", key)
    assert outside.registry.calls == []


def test_a_key_cannot_reach_another_resource(outside: Outside) -> None:
    outside.patients.forms["secret"] = {"a": 1}
    assert read("registry", "patient", "../forms/secret").value is None
    assert read("registry", "patient", "x?y=1#z").value is None
    assert [path for _method, path in outside.registry.calls] == [
        "/patients/..%2Fforms%2Fsecret",
        "/patients/x%3Fy%3D1%23z",
    ]


@pytest.mark.requirement("DR-143")
def test_the_cache_keeps_to_its_size_and_forgets_what_was_unused_longest(
    outside: Outside, settings: Settings
) -> None:
    for number in ("104217", "104218", "104219"):
        read("registry", "patient", number)
    CachedAnswer.objects.filter(key="104218").update(
        used_at=timezone.now() - timedelta(days=3), size_bytes=600_000
    )
    CachedAnswer.objects.filter(key="104217").update(size_bytes=600_000)
    settings.PORTAL_OUTSIDE_CACHE_MB = 1
    read("registry", "patient", "104220")
    assert set(CachedAnswer.objects.values_list("key", flat=True)) == {"104217", "104219", "104220"}


def test_what_nobody_looks_at_is_removed_after_its_time_and_looking_keeps_it(
    outside: Outside, settings: Settings, asked: list[Any]
) -> None:
    settings.PORTAL_OUTSIDE_CACHE_KEEP_DAYS = 30
    read(*PATIENT)
    read("registry", "patient", "104218")
    CachedAnswer.objects.update(used_at=timezone.now() - timedelta(days=31))
    read(*PATIENT)
    assert room.forget_unused(timezone.now()) == 1
    assert CachedAnswer.objects.get().key == "104217"


@pytest.mark.requirement("DR-118")
def test_our_copy_is_compared_with_what_is_outside(outside: Outside, asked: list[Any]) -> None:
    ours = {"initials": "A.B.", "born_on": "2015-03-02"}
    assert compare(*PATIENT, ours) == []
    outside.patients.patients["104217"]["born_on"] = "2015-03-03"
    assert compare(*PATIENT, ours) == [], "what is kept is fresh"
    refresh(*PATIENT)
    (difference,) = compare(*PATIENT, ours)
    assert (difference.name, difference.ours, difference.theirs) == (
        "born_on",
        "2015-03-02",
        "2015-03-03",
    )
    outside.registry.fault = Fault.REFUSED
    assert compare("registry", "patient", "104218", ours) is None


def test_reading_what_is_kept_costs_a_constant_few_queries(
    outside: Outside, django_assert_num_queries: Any
) -> None:
    read(*PATIENT)
    with django_assert_num_queries(2):
        read(*PATIENT)


def test_without_redis_what_is_kept_is_read_and_others_are_asked(
    outside: Outside, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(breaker, "_in_memory", {})
    assert read(*PATIENT).value["initials"] == "A.B."
    outside.registry.fault = Fault.FAILING
    for _ in range(3):
        assert read("registry", "patient", "104218").problem.code == Code.FAILED
    assert read("registry", "patient", "104218").problem.code == Code.OPEN
    assert read(*PATIENT).value["initials"] == "A.B."
