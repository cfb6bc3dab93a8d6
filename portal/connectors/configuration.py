"""Which outside systems there are: ``PORTAL_OUTSIDE_SYSTEMS``, checked when first asked for.

A table that is wrong quarantines its system and no other: reads of it say so, writes to it wait.
Secrets are files, named here and read at each use; they are never in the database.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.module_loading import import_string

from portal.connectors.problems import Code, OutsideFailure

logger = logging.getLogger(__name__)

LONGEST_TIMEOUT_S = 25.0
_CODE = re.compile(r"[a-z][a-z0-9_]{0,49}")

KINDS = {
    "http_json": "portal.connectors.interfaces.http_json.open_client",
    "sql": "portal.connectors.interfaces.sql.open_client",
}
"""Kind to dotted ``(OutsideSystem) -> Client``. A module adds its own in its ``ready()``."""


class ConfigurationError(ValueError):
    """What is wrong in a system's table, for the operator who wrote it."""


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()
"""What a client's ``read`` gives for a key that the other side does not know."""


class Client(Protocol):
    """What a kind is. Each call ends within the system's time-outs or raises OutsideFailure."""

    def read(self, resource: Resource, key: str) -> Any: ...

    def write(
        self, resource: Resource, key: str, payload: Mapping[str, Any], idempotency_key: str
    ) -> None: ...

    def probe(self) -> None: ...


@dataclass(frozen=True)
class Resource:
    """One thing that a system has. ``read`` and ``write``: a path or a query, as its kind has it.

    Both are of the same system, so what was written is read where it was written (DR-188).
    """

    name: str
    read: str = ""
    write: str = ""
    keep_fresh_s: float = 300.0
    one: bool = False
    """SQL: the first row alone, not a list of rows."""


@dataclass(frozen=True)
class OutsideSystem:
    """A sound declaration."""

    code: str
    kind: str
    address: str
    label: str = ""
    connect_timeout_s: float = 3.0
    read_timeout_s: float = 10.0
    auth: str = "none"
    """HTTP: none, basic (the secret is ``user:password``) or bearer."""
    secret_file: str = ""
    ca_file: str = ""
    read_only: bool = False
    probe: str = ""
    """HTTP: a path that says whether it works. SQL needs none."""
    failures_to_open: int = 3
    ask_again_after_s: float = 30.0
    most_bytes: int = 5 * 1024 * 1024
    resources: Mapping[str, Resource] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.label or self.code

    def resource(self, name: str) -> Resource:
        """OutsideFailure (CONFIGURATION) when there is no such resource."""
        if name not in self.resources:
            raise OutsideFailure(Code.CONFIGURATION, f"{self.code} has no resource {name!r}")
        return self.resources[name]

    def secret(self) -> str:
        """The secret as it is in its file now; OutsideFailure when it cannot be read."""
        try:
            return Path(self.secret_file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise OutsideFailure(
                Code.CONFIGURATION, f"secret_file cannot be read: {type(error).__name__}"
            ) from None

    @cached_property
    def client(self) -> Client:
        opened: Callable[[OutsideSystem], Client] = import_string(KINDS[self.kind])
        return opened(self)


@dataclass(frozen=True)
class Declared:
    """Every declared system: those that can be used, and why the others cannot."""

    systems: Mapping[str, OutsideSystem]
    quarantined: Mapping[str, str]


_checked: list[tuple[Any, Declared]] = []


def declared() -> Declared:
    """What the settings say now; checked once, clients and their pools with it."""
    tables = settings.PORTAL_OUTSIDE_SYSTEMS
    if not _checked or _checked[-1][0] is not tables:
        _checked[:] = [(tables, _check(tables))]
    return _checked[-1][1]


def system_of(code: str) -> OutsideSystem:
    """OutsideFailure (CONFIGURATION) when it is not declared, or wrongly."""
    known = declared()
    if code in known.quarantined:
        raise OutsideFailure(Code.CONFIGURATION, known.quarantined[code])
    if code not in known.systems:
        raise OutsideFailure(Code.CONFIGURATION, f"there is no outside system {code!r}")
    return known.systems[code]


def is_declared(code: str) -> bool:
    """Whether the settings name it, rightly or wrongly: then writes to it are kept."""
    known = declared()
    return code in known.systems or code in known.quarantined


def takes(code: str, resource: str) -> bool:
    """Whether the system is there to be written this to. One that is declared wrongly is believed
    to be: what is written waits until that is mended."""
    known = declared()
    if code in known.quarantined:
        return True
    system = known.systems.get(code)
    return system is not None and bool(getattr(system.resources.get(resource), "write", ""))


def _check(tables: Mapping[str, Any]) -> Declared:
    systems, quarantined = {}, {}
    for code, table in tables.items():
        try:
            systems[code] = read_table(code, table)
        except Exception as error:
            reason = str(error)
            if not isinstance(error, ConfigurationError):  # a kind of a module's
                reason = f"{type(error).__name__}: {error}"
            logger.error("outside system %s is quarantined: %s", code, reason)  # noqa: TRY400
            quarantined[code] = reason
    return Declared(systems, quarantined)


def read_table(code: str, table: Any) -> OutsideSystem:
    """One system of its table; ConfigurationError says what is wrong where."""
    if not _CODE.fullmatch(code):
        raise ConfigurationError("its code is not of small letters, digits and _")
    if not isinstance(table, Mapping):
        raise ConfigurationError("it is no table")
    values = dict(table)
    resources = values.pop("resources", {})
    if not isinstance(resources, Mapping) or not resources:
        raise ConfigurationError("resources: none is declared")
    _known_only(values, OutsideSystem, but={"code", "resources"})
    for needed in ("kind", "address"):
        if not isinstance(values.get(needed), str) or not values[needed]:
            raise ConfigurationError(f"{needed}: it is missing")
    if values["kind"] not in KINDS:
        raise ConfigurationError(f"kind: {values['kind']!r} is none of {', '.join(sorted(KINDS))}")
    system = OutsideSystem(
        code=code,
        **_typed(values, OutsideSystem),
        resources={name: _resource(name, of) for name, of in resources.items()},
    )
    _check_values(system)
    system.client  # noqa: B018 the kind looks at its part
    return system


def _resource(name: str, table: Any) -> Resource:
    if not _CODE.fullmatch(name) or not isinstance(table, Mapping):
        raise ConfigurationError(f"resources.{name}: a table under a name of small letters")
    try:
        _known_only(table, Resource, but={"name"})
        resource = Resource(name=name, **_typed(table, Resource))
    except ConfigurationError as error:
        raise ConfigurationError(f"resources.{name}: {error}") from None
    if not (resource.read or resource.write):
        raise ConfigurationError(f"resources.{name}: it has neither read nor write")
    if resource.keep_fresh_s < 0:
        raise ConfigurationError(f"resources.{name}: keep_fresh_s is negative")
    return resource


def _known_only(table: Mapping[str, Any], of: type, *, but: set[str]) -> None:
    unknown = set(table) - ({known.name for known in fields(of)} - but)
    if unknown:
        raise ConfigurationError(f"unknown: {', '.join(sorted(unknown))}")


def _typed(table: Mapping[str, Any], of: type) -> dict[str, Any]:
    kinds = {known.name: known.type for known in fields(of)}
    found = {}
    for name, value in table.items():
        kind = {"str": str, "float": (int, float), "int": int, "bool": bool}[str(kinds[name])]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ConfigurationError(f"{name}: {value!r} is no {kinds[name]}")
        found[name] = value
    return found


def _check_values(system: OutsideSystem) -> None:
    for name in ("connect_timeout_s", "read_timeout_s"):
        if not 0 < getattr(system, name) <= LONGEST_TIMEOUT_S:
            raise ConfigurationError(
                f"{name}: more than 0 and at most {LONGEST_TIMEOUT_S:.0f} s, since a person waits"
            )
    if system.failures_to_open < 1 or system.ask_again_after_s <= 0 or system.most_bytes < 1:
        raise ConfigurationError("failures_to_open, ask_again_after_s and most_bytes: at least 1")
    if urlsplit(system.address).password:
        raise ConfigurationError("address: the password belongs into secret_file")
    if system.secret_file:
        try:
            system.secret()
        except OutsideFailure as failure:
            raise ConfigurationError(failure.problem.detail) from None
    if system.read_only and any(resource.write for resource in system.resources.values()):
        raise ConfigurationError("it is read_only, yet a resource has write")
