"""Run by the Python into which a module was installed: use it, or see what is left of it.

``use_module.py with wound_care`` and ``use_module.py without wound_care`` print JSON on one line.
"""

from __future__ import annotations

import json
import sys
from io import StringIO
from typing import Any

import django
from django.core.management import call_command

CLERK, PATIENT = "Clara Clerk", "Anna Andersen"


def said_by(*command: str) -> str:
    said = StringIO()
    call_command(*command, stdout=said, stderr=said)
    return said.getvalue()


def browser(name: str) -> Any:
    from django.test import Client

    from portal.accounts.models import User
    from tests.support.accounts import sign_in

    client = Client()
    sign_in(client, User.objects.get(name=name))
    return client


def with_module(module: str) -> dict[str, Any]:
    """Check, migrate, then use it as people do: by requests."""
    from portal.organisation.models import Unit
    from tests.support.factories import give, make_unit, make_user

    told: dict[str, Any] = {"check": said_by("check"), "migrate": said_by("migrate", "--no-input")}
    told["pending"] = said_by("makemigrations", "--check", "--dry-run", module)
    unit = make_unit("clinic")
    clerk, auditor = make_user(CLERK), make_user("Ada Auditor")
    give(clerk, f"{module}.lead", unit)
    for role in ("audit.auditor", "operations.operator"):
        give(auditor, role, unit)
    client = browser(CLERK)
    sent = {
        "patient_number": "nr-1", "patient_name": PATIENT, "born_on": "1950-04-05",
        "unit": Unit.objects.get(code="clinic").pk, "urgency": "urgent",
        "received_on": "2026-03-02", "note": "Pain",
    }  # fmt: skip
    entered = client.post(f"/{module}/new/", sent)
    address = entered["Location"]
    told["entered"] = [entered.status_code, address]
    told["page"] = client.get(address).content.decode()
    told["home"] = client.get("/").content.decode()
    told["answered"] = client.post(f"{address}answer/", {"reason": "Seen on Monday"}).status_code
    told["excel"] = client.get(f"/{module}/excel/").content[:2].decode()
    told["pdf"] = client.get(f"{address}pdf/").content[:5].decode()
    told["history"] = client.get(
        f"/operations/history/{module}.referral/{address.split('/')[2]}/"
    ).content.decode()
    return told


def without_module(module: str) -> dict[str, Any]:
    """The portal without it: its pages, and what is kept of the module."""
    from portal.audit.models import AuditEntry
    from portal.audit.verification import verify_all

    entry = AuditEntry.objects.get(action=f"{module}.referral_entered")
    auditor, clerk = browser("Ada Auditor"), browser(CLERK)
    paths = {
        "home": "/",
        "status": "/operations/",
        "tasks": "/notifications/tasks/",
        "history": f"/operations/history/{entry.object_type}/{entry.object_id}/",
        "entry": f"/operations/audit/{entry.pk}/",
        "trail": f"/operations/audit/?object_type={entry.object_type}",
        "access log": f"/operations/access-log/?object_type={entry.object_type}",
    }
    answers = {name: auditor.get(path) for name, path in paths.items()}
    return {
        "check": said_by("check"),
        "migrate": said_by("migrate", "--no-input"),
        "pages": {name: [a.status_code, a.content.decode()] for name, a in answers.items()},
        "clerk": [clerk.get("/").status_code, clerk.get(f"/{module}/").status_code],
        "faults": [str(fault) for fault in verify_all()],
    }


def main() -> None:
    django.setup()
    from django.utils import translation

    from portal.registry import registry

    translation.activate("en")
    act, module = sys.argv[1:]
    told = {"with": with_module, "without": without_module}[act](module)
    told["modules"] = [each.label for each in registry.installed_modules()]
    told["quarantined"] = registry.quarantined
    print("\n" + json.dumps(told, default=str))


if __name__ == "__main__":
    main()
