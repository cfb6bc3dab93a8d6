"""Start the portal with chosen modules installed, and print as JSON what it is like.

``start_portal.py '{"modules": {"dummy": "dummy.apps:Dummy"}, "acts": ["migrate"]}'``: ``modules``
stands for what is installed (``null``: what really is, by ``importlib.metadata``); nothing else is
different from a start of ``manage.py``. ``acts`` are done in order, each a function of this file.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint
from io import StringIO
from typing import Any

from portal import registry as contract


def main() -> None:
    asked = json.loads(sys.argv[1])
    if asked["modules"] is not None:
        contract.entry_points = lambda group: [
            EntryPoint(name, value, group) for name, value in asked["modules"].items()
        ]
    import django

    django.setup()
    told: dict[str, Any] = {}
    for act in asked["acts"]:
        told[act] = globals()[act]()
    told["modules"] = [module.label for module in contract.registry.installed_modules()]
    told["quarantined"] = contract.registry.quarantined
    print("\n" + json.dumps(told, default=str))


def migrate() -> str:
    from django.core.management import call_command

    said = StringIO()
    call_command("migrate", no_input=True, stdout=said)
    return said.getvalue()


def check() -> str:
    from django.core.management import call_command

    said = StringIO()
    call_command("check", stdout=said, stderr=said)
    return said.getvalue()


def pages() -> dict[str, Any]:
    """The pages that an administrator of everything opens: status and text of each."""
    from django.test import Client
    from django.utils import translation

    from portal.access.models import Role
    from portal.accounts.models import User
    from portal.organisation.models import Unit
    from tests.support.factories import give, make_unit, make_user

    translation.activate("en")
    unit = Unit.objects.filter(code="start").first() or make_unit("start")
    person = User.objects.filter(username="starter").first() or make_user("Starter")
    held = {grant.role_id for grant in person.role_grants.all()}
    for role in Role.objects.filter(module__in=["operations", "audit", "access", "dummy"]):
        if role.pk not in held and not role.code.endswith("watcher"):
            give(person, role.code, unit)
    client = Client()
    client.force_login(person, backend="portal.accounts.backends.RegionalIdBackend")
    paths = ["/", "/operations/", "/operations/audit/", "/notifications/tasks/", "/dummy/"]
    told = {}
    for path in paths:
        answer = client.get(path)
        told[path] = [answer.status_code, answer.content.decode()]
    return told


def worker_tasks() -> list[str]:
    """The tasks that a worker of this start would know."""
    from celery import current_app

    current_app.loader.import_default_modules()
    return sorted(name for name in current_app.tasks if not name.startswith("celery."))


def keep() -> dict[str, Any]:
    """Keep a thing of the dummy, with history and an entry in the audit trail."""
    from dummy.services import keep_thing

    from portal.organisation.models import Unit
    from portal.records.context import ServiceActor
    from tests.support.factories import make_unit

    unit = Unit.objects.filter(code="kept").first() or make_unit("kept")
    thing = keep_thing(actor=ServiceActor("test"), name="Kept thing", unit=unit, reason="to test")
    return {"pk": thing.pk}


def history() -> list[Any]:
    """The history page of that thing, and the audit trail."""
    from django.test import Client

    from portal.accounts.models import User
    from portal.audit.models import AuditEntry

    entry = AuditEntry.objects.get(action="dummy.thing_kept", object_repr="Kept thing")
    client = Client()
    client.force_login(
        User.objects.get(username="starter"), backend="portal.accounts.backends.RegionalIdBackend"
    )
    told = []
    for path in (
        f"/operations/history/{entry.object_type}/{entry.object_id}/",
        f"/operations/audit/{entry.pk}/",
        "/operations/audit/",
    ):
        answer = client.get(path)
        told.append([answer.status_code, answer.content.decode()])
    return told


def every_part() -> dict[str, Any]:
    """What became of each part of the dummy's declaration."""
    from celery import current_app
    from django.test import RequestFactory
    from django.utils.module_loading import import_string
    from dummy.models import Thing

    from portal.access.models import Role
    from portal.accounts.models import User
    from portal.audit.verification import verify_all
    from portal.live.topics import may_listen
    from portal.notifications.my_tasks import tasks_for
    from portal.operations.demo import all_people, load_all
    from portal.operations.health import run_checks

    registry = contract.registry
    load_all()
    things = Thing.objects.count(), Thing.history.count(), User.objects.count()
    load_all()
    again = Thing.objects.count(), Thing.history.count(), User.objects.count()
    keeper = User.objects.get(subject="demo-keeper")
    watcher = User.objects.get(username="preben@company-x.invalid")
    hospital = keeper.role_grants.get().unit
    handler = registry.inbox_handlers("dummy")[0]
    request = RequestFactory().get("/")
    request.user = keeper
    panel = next(panel for panel in registry.home_panels() if panel.code == "dummy-things")
    module = next(module for module in registry.modules() if module.label == "dummy")
    current_app.finalize()
    return {
        "settings": registry.settings_for("dummy").greeting,
        "privileges": [p.code for p in registry.privileges() if p.code.startswith("dummy.")],
        "roles": list(Role.objects.filter(module="dummy").order_by("code").values_list("code")),
        "keeper": [grant.role.code for grant in keeper.role_grants.all()],
        "watcher": [grant.role.code for grant in watcher.role_grants.all()],
        "watcher_password": watcher.check_password("not a secret at all"),
        "tasks": [(str(g.module), t.count) for g in tasks_for(keeper) for t in g.tasks],
        "panel": import_string(panel.render)(request),
        "search": import_string(module.search_source)(keeper, "first"),
        "topics": [
            may_listen(keeper, f"dummy/{hospital.pk}"),
            may_listen(keeper, "dummy/999"),
            may_listen(watcher, f"dummy/{hospital.pk}"),
        ],
        "periodic": [task.name for task in registry.periodic_tasks() if "dummy" in task.name],
        "scheduled": "dummy: count" in current_app.conf.beat_schedule,
        "inbox": import_string(handler.check)(b"note").decode(),
        "health": [r.ok for r in run_checks() if r.name == "dummy"],
        "signable": import_string(registry.signable("dummy.thing").payload)(Thing.objects.get()),
        "clinical": signed_configuration("dummy"),
        "demo_people": [p.name for p in all_people() if "dummy" in "".join(p.groups)],
        "things": things,
        "again": again,
        "faults": [str(fault) for fault in verify_all()],
    }


def signed_configuration(label: str) -> Any:
    """What of the module was signed when the demo was loaded."""
    from portal.operations.models import SignedConfiguration

    return list(SignedConfiguration.objects.filter(module=label).values_list("stated", flat=True))


if __name__ == "__main__":
    main()
