"""One field's check of a form of 120 items with 60 checks, against an empty authorised view.

Both through every middleware, in turns, in one process. The empty view finds the same sheet for the
same person and answers nothing.
"""

from __future__ import annotations

import statistics
import time
from datetime import date
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.views.decorators.http import require_POST

from portal.config.urls import urlpatterns as portal_urls
from portal.forms.fields import take_in
from portal.forms.presentation import changes, present
from portal.forms.rules.answers import Answers
from portal.forms.rules.filling import fill
from portal.forms.selectors import read_sheet, usable
from portal.forms.services.sheets import habits
from portal.records.context import acting
from tests.bench.measures import Measure
from tests.support.definitions import check, form_json, item
from tests.support.patients_app.urls import PAGE
from tests.support.patients_app.urls import urlpatterns as form_urls
from tests.support.sheets import SheetWorld, sheet_world

ITEMS, CHECKS, ROUNDS = 120, 60, 40


@require_POST
def empty(request: HttpRequest, pk: int) -> HttpResponse:
    """What every view of a sheet does before it begins."""
    sheet = PAGE.get(request.user, pk)
    PAGE.rules.require_fill(request.user, sheet)
    return HttpResponse()


urlpatterns = [path("bench/empty/<int:pk>/", empty), *form_urls, *portal_urls]


def run() -> dict[str, Any]:
    """Medians in milliseconds, and queries."""
    with override_settings(ROOT_URLCONF=__name__):
        return {"measures": _measured(sheet_world(large_form()))}


def large_form() -> dict[str, Any]:
    """120 items: numbers with limits, sixty of them checked against their neighbours, every tenth
    one computed, every tenth one shown by another."""
    parts = []
    for number in range(ITEMS):
        before = f"A{number - 1}"
        settings: dict[str, Any] = {"limits": {"least": "0", "most": "1000"}}
        if number % 10 == 9:
            parts.append(item(f"A{number}", "computed", rule=f"{before} * 2", result="decimal"))
            continue
        if number % 10 == 4:
            settings["show_if"] = "A0 > 0"
        if number and sum("checks" in part for part in parts) < CHECKS:
            settings["checks"] = [check(f"{before} + A{number} > 900 and A{number} > 5")]
        parts.append(item(f"A{number}", "decimal", required=number % 3 == 0, **settings))
    if sum("checks" in part for part in parts) != CHECKS:
        raise AssertionError(f"not {CHECKS} checks")
    return form_json(*parts)


def _measured(world: SheetWorld) -> list[Measure]:
    client = Client()
    client.force_login(world.nurse, backend="portal.accounts.backends.RegionalIdBackend")
    base = f"/patients/forms/{world.sheet.pk}/"
    numbers = [n for n in range(1, ITEMS) if n % 10 != 9]
    for sequence, number in enumerate(numbers, 1):  # the form is full
        _check(client, base, number, number, sequence)
    with CaptureQueriesContext(connection) as captured:
        _check(client, base, 7, 8, 1_000)
    queries = len(captured)  # now: the next request empties the log
    times: dict[str, list[float]] = {"check": [], "empty": []}
    for turn in range(ROUNDS):
        acts = [
            ("check", lambda turn=turn: _check(client, base, 7, 500 + turn, 2_000 + turn)),
            ("empty", lambda: _empty(client, world.sheet.pk)),
        ]
        for name, act in acts if turn % 2 else reversed(acts):
            began_at = time.perf_counter()
            act()
            times[name].append((time.perf_counter() - began_at) * 1000)
    check_ms, empty_ms = (statistics.median(times[name]) for name in ("check", "empty"))
    return [
        Measure(
            name=f"one field's check: {ITEMS} items, {CHECKS} checks",
            number=check_ms,
            unit="ms",
            compared_with=f"empty authorised view: {empty_ms:.1f} ms, so"
            f" {check_ms / empty_ms:.1f} times; {queries} queries",
        ),
        *_parts(world),
    ]


def _parts(world: SheetWorld) -> list[Measure]:
    """What of it is working out, and what is putting it together."""
    with acting(actor=world.nurse):
        form = usable(world.sheet.form_version)
        typed = {f"A{number}": str(number) for number in range(ITEMS) if number % 10 != 9}
        answers, faults = take_in(form.form, Answers(), typed, habits())
        filled = fill(form, answers, date(2026, 11, 22))
        read = read_sheet(world.sheet, answers=answers, filled=filled)
        page = present(read, "en", typed, faults)
        acts = {
            "taking in what was typed": lambda: take_in(form.form, Answers(), typed, habits()),
            "working out what follows": lambda: fill(form, answers, date(2026, 11, 22)),
            "putting the page together": lambda: present(read, "en", typed, faults),
            "finding what changed": lambda: changes(page, page),
        }
        return [
            Measure(name=f"… {name}, once", number=_median_ms(act), unit="ms")
            for name, act in acts.items()
        ]


def _median_ms(act: Any) -> float:
    times = []
    for _turn in range(ROUNDS):
        began_at = time.perf_counter()
        act()
        times.append((time.perf_counter() - began_at) * 1000)
    return statistics.median(times)


def _check(client: Client, base: str, number: int, value: int, sequence: int) -> None:
    sent = {f"A{number}": str(value), "sequence": sequence, "opened_version": 1}
    response = client.post(f"{base}check/", sent)
    if response.status_code != 200 or response["X-Sheet-Sequence"] != str(sequence):
        raise AssertionError(f"the check answered {response.status_code}")


def _empty(client: Client, pk: int) -> None:
    if client.post(f"/bench/empty/{pk}/").status_code != 200:
        raise AssertionError("the empty view did not answer")
