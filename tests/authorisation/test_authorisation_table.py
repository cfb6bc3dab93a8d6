"""Authorisation as a table: every address, topic and task source × every role × own and others'.

An address that no row declares fails, and so does a row that declares none.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from portal.live.topics import may_listen
from portal.notifications.my_tasks import tasks_for
from portal.registry import registry
from tests.authorisation import EXPECTED
from tests.authorisation.expectations import NO_ROLE, Row, World
from tests.authorisation.world import log_in, make_world, person_of
from tests.portal.test_accounts_anonymous import HEALTH, OPEN, every_pattern

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-012", "PT-016")]

ROLES = (NO_ROLE, *sorted(f"{module}.{role.code}" for module, role in registry.roles()))
WAGTAIL = ("wagtailadmin", "wagtailcore", "wagtailsnippets", "cms_login", "page_login", "design")
"""Wagtail's own administration asks for `wagtailadmin.access_admin`; nobody holds it by a role."""


def declared_here() -> dict[str, Row]:
    return {name: row for part in EXPECTED for name, row in part.urls.items()}


def addresses() -> Iterator[str]:
    """The name of every address that somebody who is logged in is admitted to by a decision."""
    from django.urls import get_resolver

    for name, route, _pattern in every_pattern(get_resolver()):
        if str(route[0]) == "cms/" or name in OPEN or HEALTH.match(name):
            continue
        if not name.startswith(WAGTAIL):
            yield name


def test_every_address_has_a_row_and_every_row_an_address() -> None:
    there, declared = set(addresses()), set(declared_here())
    assert sorted(there - declared) == [], "declare who may in tests/authorisation"
    assert sorted(declared - there) == [], "these addresses are gone"


def test_every_topic_and_task_source_is_declared() -> None:
    declared = {pattern for part in EXPECTED for pattern in part.topics}
    assert {topic.pattern for topic in registry.live_topics()} == declared


@pytest.mark.requirement("PT-045", "PT-060")
@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_admitted_where_the_table_says_and_nowhere_else(
    role: str, server_keys: Any
) -> None:
    world = make_world()
    person = person_of(role, world)
    client = log_in(person)
    surprises = [
        *addresses_that_surprise(role, world, person, client),
        *topics_that_surprise(role, world, person),
        *tasks_that_surprise(role, person, client),
    ]
    assert not surprises, "\n".join(surprises)


def addresses_that_surprise(role: str, world: World, person: Any, client: Client) -> Iterator[str]:
    for name, row in declared_here().items():
        for own in (True, False) if row.on_objects else (True,):
            expected = row.allows(role, own=own)
            status = request(client, name, row, world.own if own else world.others, person)
            if admitted(status, row) != expected:
                whose = "own" if own else "others'"
                yield f"{name} ({whose}): {status}, expected {expected}"


def request(client: Client, name: str, row: Row, objects: Any, person: Any) -> int:
    """The status of one request; whatever it does is undone."""
    arguments = dict(row.args(objects, person)) if row.args else {}
    url = row.path or reverse(name, kwargs=arguments)
    fields = dict(row.data(objects, person)) if row.data else {}
    cookies = copy.deepcopy(client.cookies)
    with transaction.atomic():
        send = client.post if row.post else client.get
        status = send(url, fields, headers=dict(row.headers)).status_code
        transaction.set_rollback(True)
    client.cookies = cookies
    return status


def admitted(status: int, row: Row) -> bool:
    assert status < 500, status
    return status < 400 if row.exact else status not in (401, 403, 404)


def topics_that_surprise(role: str, world: World, person: Any) -> Iterator[str]:
    for part in EXPECTED:
        for pattern, topic in part.topics.items():
            for own in (True, False) if topic.on_objects else (True,):
                name = topic.name(world.own if own else world.others, person)
                if may_listen(person, name) != topic.allows(role, own=own):
                    yield f"{pattern}: {name}"


def tasks_that_surprise(role: str, person: Any, client: Client) -> Iterator[str]:
    """Tasks wait for the roles of the table, and lead where these may go."""
    groups = tasks_for(person)
    titles = [str(task.title) for group in groups for task in group.tasks]
    if any(group.failed for group in groups):
        yield f"a task source failed: {titles}"
    if bool(titles) != any(role in part.tasks for part in EXPECTED):
        yield f"tasks: {titles}"
    for group in groups:
        for task in group.tasks:
            if client.get(task.url).status_code != 200:
                yield f"a task leads nowhere: {task.url}"
