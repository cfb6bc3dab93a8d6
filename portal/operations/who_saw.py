"""*Who saw this file*: the access log of one patient or one object, on a sealed paper (PT-024)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.access.decision import require
from portal.audit.models import AccessEntry
from portal.audit.services import Access, log_access
from portal.documents.models import IssuedDocument
from portal.documents.paper import document_language
from portal.documents.services import issue
from portal.operations.trail import kind_label, narrowed
from portal.records.errors import Refused
from portal.records.services import writes

EXPORT = "audit.export_logs"
KIND = "operations.who_saw"
LONGEST = 2_000
_TEMPLATE = Path(__file__).parent / "documents" / "who_saw.typ"

ACTS = {
    Access.CREATE: gettext_lazy("created"),
    Access.OPEN: gettext_lazy("opened"),
    Access.CHANGE: gettext_lazy("changed"),
    Access.ADD: gettext_lazy("added to"),
    Access.REMOVE: gettext_lazy("removed from"),
    Access.DELETE: gettext_lazy("deleted"),
    Access.EXPORT: gettext_lazy("exported"),
    Access.SIGN: gettext_lazy("signed"),
    Access.PRINT: gettext_lazy("printed"),
    Access.LOGIN: gettext_lazy("logged in"),
    Access.LOGOUT: gettext_lazy("logged out"),
    Access.REFUSED: gettext_lazy("was refused"),
}


def act_word(action: str) -> str:
    """What was done, in the reader's language; a word of a module's own as it is."""
    return str(ACTS.get(action, action))


def who(entry: AccessEntry) -> str:
    """The person or service, for whom, and in which other role."""
    told = entry.actor_name or "–"
    if entry.service:
        told = entry.service
        if entry.actor_name:
            told = _("%(service)s for %(person)s") % {
                "service": entry.service,
                "person": entry.actor_name,
            }
    if entry.acting_as:
        told = _("%(person)s, acting as %(role)s") % {"person": told, "role": entry.acting_as}
    return told


def names_a_file(wanted: Mapping[str, Any]) -> bool:
    """Whether one patient or one object is named: never everybody's."""
    one_object = wanted.get("object_type") and wanted.get("object_id")
    return bool(wanted.get("patient") or one_object)


def file_entries(wanted: Mapping[str, Any]) -> Any:
    """The access log of the file. Refused (``whose_file``) where none is named."""
    if not names_a_file(wanted):
        raise Refused(_("Name one patient, or one object."), code="whose_file")
    return narrowed(AccessEntry, wanted)


@writes
def print_who_saw(*, actor: Any, wanted: Mapping[str, Any]) -> IssuedDocument:
    """Issue the list as a sealed PDF. That it was printed is noted, under the patient.

    Refused: ``whose_file``; ``too_many`` for more than `LONGEST` entries.
    """
    require(actor, EXPORT)
    entries = file_entries(wanted)
    count = entries.count()
    if count > LONGEST:
        raise Refused(
            _("These are %(count)s entries: too many for a paper. Narrow the days.")
            % {"count": count},
            code="too_many",
        )
    rows = list(entries.order_by("at", "pk"))
    with transaction.atomic():
        # what is printed is a document of this very entry of the log
        noted = log_access(
            Access.PRINT,
            "who saw the file",
            patient=wanted.get("patient", ""),
            data={**_named(wanted), "entries": count},
        )
        with document_language():
            data = _data(actor, wanted, rows)
            title = _("Who saw this file")
        return issue(
            kind=KIND,
            obj=noted,
            title=title,
            number=f"WHO-{noted.pk}",
            data=data,
            template=_TEMPLATE,
            issued_by=actor,
        )


def _named(wanted: Mapping[str, Any]) -> dict[str, str]:
    names = ("object_type", "object_id", "since", "until")
    return {name: str(wanted[name]) for name in names if wanted.get(name)}


def _data(actor: Any, wanted: Mapping[str, Any], rows: list[AccessEntry]) -> dict[str, Any]:
    return {
        "file": {
            "patient": wanted.get("patient", ""),
            "object": f"{kind_label(wanted['object_type'])} {wanted['object_id']}"
            if wanted.get("object_type")
            else "",
            "since": _day(wanted.get("since")),
            "until": _day(wanted.get("until")),
            "printed_by": str(actor),
            "entries": len(rows),
        },
        "entries": [
            {
                "at": date_format(timezone.localtime(row.at), "SHORT_DATETIME_FORMAT"),
                "who": who(row),
                "act": act_word(row.action),
                "what": row.object_repr,
                "reason": row.reason,
            }
            for row in rows
        ],
        "labels": {
            "patient": _("Patient"),
            "object": _("Object"),
            "since": _("From day"),
            "until": _("To day"),
            "printed_by": _("Printed by"),
            "count": _("Entries"),
            "at": _("Time"),
            "who": _("Who"),
            "act": _("Act"),
            "what": _("What"),
            "reason": _("Reason"),
            "nobody": _("Nobody, as far as the log tells."),
        },
    }


def _day(day: date | None) -> str:
    return date_format(day, "SHORT_DATE_FORMAT") if day else ""
