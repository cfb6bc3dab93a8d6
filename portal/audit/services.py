"""Writing the audit trail and the access log. Call within the transaction of what is recorded."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from portal.audit.models import AccessEntry, AuditEntry, Entry
from portal.records.context import current_act
from portal.records.personal import unmasked


class Access(StrEnum):
    """Kinds of access (PT-023)."""

    CREATE = "create"
    OPEN = "open"
    CHANGE = "change"
    ADD = "add"
    REMOVE = "remove"
    DELETE = "delete"
    EXPORT = "export"
    SIGN = "sign"
    PRINT = "print"
    LOGIN = "login"
    LOGOUT = "logout"
    REFUSED = "refused"


def record(
    action: str,
    obj: models.Model | None = None,
    *,
    data: dict[str, Any] | None = None,
    reason: str | None = None,
) -> AuditEntry:
    """Write a significant act into the audit trail; actor, service and reason come from the act."""
    return _append(AuditEntry, action, obj, data=data, reason=reason)


def log_access(
    kind: Access, obj: Any = None, *, patient: str = "", data: dict[str, Any] | None = None
) -> AccessEntry:
    """Note in the access log that the acting person opened, exported, … ``obj``.

    ``patient`` is whose file it is; a model says so itself with ``access_log_patient``.
    """
    return _append(AccessEntry, kind.value, obj, patient=patient or patient_of(obj), data=data)


def patient_of(obj: Any) -> str:
    """The identifier of the patient whose file ``obj`` is part of, '' where there is none.

    A model states it as an attribute ``access_log_patient``: then no log line of it can forget.
    """
    with unmasked():
        return str(getattr(obj, "access_log_patient", "") or "")


def differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, list[Any]]:
    """``{field: [old, new]}`` of what changed, for ``data``."""
    return {name: [old.get(name), new[name]] for name in new if old.get(name) != new[name]}


def _append(
    model: type[Entry],
    action: str,
    obj: Any,
    *,
    patient: str = "",
    data: dict[str, Any] | None = None,
    reason: str | None = None,
) -> Any:
    act = current_act()
    person = act.person
    is_model = isinstance(obj, models.Model)
    plain = _plain(data or {})
    return model._default_manager.create(  # noqa: SLF001
        action=action,
        actor_id=getattr(person, "pk", None),
        actor_name=str(person) if person is not None and person.is_authenticated else "",
        acting_as=act.acting_as,
        service=act.service,
        object_type=obj._meta.label_lower if is_model else "",  # noqa: SLF001
        object_id=str(obj.pk) if is_model else "",
        object_repr=str(obj) if obj is not None else "",
        patient=patient,
        reason=act.reason if reason is None else reason,
        data=plain,
        request_id=act.request_id,
        address=act.address,
    )


def _plain(data: dict[str, Any]) -> Any:
    """Dates, decimals and lazy texts as strings: what is hashed is what is read back."""
    return json.loads(json.dumps(data, cls=DjangoJSONEncoder))
