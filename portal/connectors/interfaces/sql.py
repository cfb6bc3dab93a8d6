"""Outside systems that are a PostgreSQL database.

``read`` is a query with the named parameter ``:key``, run in a read-only transaction. ``write`` is
a statement with ``:idempotency_key`` (a second sending must change nothing), ``:key``, ``:payload``
(all of it as JSON) and the payload's own fields by name. Values are bound, never written into it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import ceil
from typing import Any

import psycopg.errors
import sqlalchemy as sa
from django.core.serializers.json import DjangoJSONEncoder
from sqlalchemy import exc

from portal.connectors.configuration import (
    ABSENT,
    ConfigurationError,
    OutsideSystem,
    Resource,
)
from portal.connectors.interfaces.json_values import from_text
from portal.connectors.problems import Code, OutsideFailure

_KEPT_CONNECTIONS = 2
_MORE_CONNECTIONS = 3
_RECYCLE_S = 300
_CREDENTIALS = (
    psycopg.errors.InvalidPassword,
    psycopg.errors.InvalidAuthorizationSpecification,
    psycopg.errors.InsufficientPrivilege,
)
# at connecting libpq gives a text alone
_NOT_LET_IN = re.compile(
    r"authentication failed|role \".*\" does not exist|no pg_hba\.conf entry|no password supplied"
)
_REFUSED = (psycopg.errors.DataError, psycopg.errors.IntegrityError)


def open_client(system: OutsideSystem) -> Sql:
    """ConfigurationError where the address or a query cannot be used. Connects to nothing yet."""
    try:
        url = sa.make_url(system.address)
    except exc.ArgumentError:
        raise ConfigurationError("address: it is no database's URL") from None
    if url.get_backend_name() != "postgresql":
        raise ConfigurationError("address: only postgresql:// databases are known")
    if system.auth != "none":
        raise ConfigurationError("auth: a database takes the user of its address and secret_file")
    for resource in system.resources.values():
        _check_query(f"resources.{resource.name}.read", resource.read, reads=True)
        _check_query(f"resources.{resource.name}.write", resource.write, reads=False)
    return Sql(system, url.set(drivername="postgresql+psycopg"))


def _check_query(place: str, query: str, *, reads: bool) -> None:
    if not query:
        return
    names = set(sa.text(query).compile().params)
    if "key" not in names:
        raise ConfigurationError(f"{place}: it must hold :key")
    if reads and names != {"key"}:
        raise ConfigurationError(f"{place}: :key is the only parameter")
    if not reads and "idempotency_key" not in names:
        raise ConfigurationError(f"{place}: it must hold :idempotency_key")


class Sql:
    """A client of one database, with a pool of its own."""

    def __init__(self, system: OutsideSystem, url: sa.URL) -> None:
        self._system = system
        timeout_ms = int(system.read_timeout_s * 1000)
        self._engine = sa.create_engine(
            url,
            pool_size=_KEPT_CONNECTIONS,
            max_overflow=_MORE_CONNECTIONS,
            pool_timeout=system.connect_timeout_s,
            pool_pre_ping=True,
            pool_recycle=_RECYCLE_S,
            hide_parameters=True,
            connect_args={
                "connect_timeout": max(2, ceil(system.connect_timeout_s)),  # libpq's least
                "application_name": "portal",
                "options": f"-c statement_timeout={timeout_ms} -c lock_timeout={timeout_ms}",
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 3,
                "tcp_user_timeout": timeout_ms,
            },
        )
        if system.secret_file:
            sa.event.listen(self._engine, "do_connect", self._give_password)

    def _give_password(self, _dialect: Any, _record: Any, _args: Any, options: Any) -> None:
        options["password"] = self._system.secret()

    def read(self, resource: Resource, key: str) -> Any:
        """Its rows as a list of objects; with ``one`` the first, or ABSENT where there is none."""
        rows = self._run(resource.read, {"key": key}, read_only=True)
        if resource.one:
            return rows[0] if rows else ABSENT
        return rows

    def write(
        self, resource: Resource, key: str, payload: Mapping[str, Any], idempotency_key: str
    ) -> None:
        """Committed when this returns."""
        given = {
            **payload,
            "key": key,
            "idempotency_key": idempotency_key,
            "payload": json.dumps(payload),
        }
        names = sa.text(resource.write).compile().params
        self._run(resource.write, {name: given.get(name) for name in names}, read_only=False)

    def probe(self) -> None:
        self._run("SELECT 1", {}, read_only=True)

    def _run(self, query: str, values: Mapping[str, Any], *, read_only: bool) -> Any:
        try:
            with self._engine.connect() as connection:
                connection = connection.execution_options(postgresql_readonly=read_only)
                with connection.begin():
                    found = connection.execute(sa.text(query), dict(values))
                    rows = self._rows(found) if read_only else []
        except exc.TimeoutError:
            raise OutsideFailure(Code.SLOW, "every connection of its pool is in use") from None
        except exc.DBAPIError as error:
            raise _failure(error) from None
        except exc.SQLAlchemyError as error:
            raise OutsideFailure(Code.FAILED, type(error).__name__) from None
        return rows

    def _rows(self, found: Any) -> Any:
        rows, size = [], 0
        for row in found.mappings():
            text = json.dumps(dict(row), cls=DjangoJSONEncoder)
            size += len(text)
            if size > self._system.most_bytes:
                raise OutsideFailure(Code.WRONG, f"more than {self._system.most_bytes} bytes")
            rows.append(from_text(text.encode("utf-8")))
        return rows


def _failure(error: exc.DBAPIError) -> OutsideFailure:
    """By the driver's own class; its text could quote values."""
    cause = error.orig
    name = type(cause).__name__
    state = getattr(cause, "sqlstate", None) or ""
    if isinstance(cause, psycopg.errors.ReadOnlySqlTransaction):
        return OutsideFailure(Code.REFUSED, f"{name}: a read may not write")
    if isinstance(cause, _CREDENTIALS) or _NOT_LET_IN.search(str(cause)):
        return OutsideFailure(Code.CREDENTIALS, name)
    if isinstance(cause, psycopg.errors.QueryCanceled | psycopg.errors.LockNotAvailable):
        return OutsideFailure(Code.SLOW, name)
    if isinstance(cause, psycopg.errors.ConnectionTimeout):
        return OutsideFailure(Code.SLOW, name)
    if isinstance(cause, _REFUSED):
        return OutsideFailure(Code.REFUSED, f"{name} {state}".strip())
    if isinstance(cause, psycopg.OperationalError):
        return OutsideFailure(Code.AWAY, f"{name} {state}".strip())
    return OutsideFailure(Code.FAILED, f"{name} {state}".strip())
