"""Declaring outside systems: what is wrong is named, and stops that system alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from portal.connectors import configuration
from portal.connectors.configuration import ABSENT, ConfigurationError, declared, read_table
from portal.connectors.problems import Code, OutsideFailure
from portal.connectors.services import read

SQL = {
    "kind": "sql",
    "address": "postgresql://reader@db.example/laboratory",
    "resources": {"results": {"read": "SELECT 1 FROM results WHERE number = :key"}},
}
HTTP = {
    "kind": "http_json",
    "address": "https://registry.example/api/",
    "resources": {"patient": {"read": "patients/{key}"}},
}


def _resource(**values: Any) -> dict[str, Any]:
    return {"resources": {"patient": values}}


@pytest.mark.requirement("DR-155", "DR-177")
@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (HTTP | {"kind": "soap"}, "kind: 'soap' is none of http_json, sql"),
        (HTTP | {"address": ""}, "address: it is missing"),
        (HTTP | {"address": "http://registry.example/"}, "only https:// leaves this machine"),
        (HTTP | {"address": "ftp://registry.example/"}, "no https:// address"),
        (HTTP | {"address": "https://u:secret@registry.example/"}, "belongs into secret_file"),
        (HTTP | {"adress": "x"}, "unknown: adress"),
        (HTTP | {"read_timeout_s": 26}, "read_timeout_s: more than 0 and at most 25 s"),
        (HTTP | {"connect_timeout_s": 0}, "connect_timeout_s"),
        (HTTP | {"read_timeout_s": "10"}, "read_timeout_s: '10' is no float"),
        (HTTP | {"read_only": 1}, "read_only: 1 is no bool"),
        (HTTP | {"auth": "bearer"}, "auth and secret_file: both or neither"),
        (HTTP | {"secret_file": "/nowhere/at/all"}, "secret_file cannot be read"),
        (HTTP | {"resources": {}}, "resources: none is declared"),
        (HTTP | _resource(), "resources.patient: it has neither read nor write"),
        (HTTP | _resource(read="patients"), "resources.patient.read: it must hold {key}"),
        (HTTP | _resource(read="{key}/{other}"), "it must hold {key} once"),
        (HTTP | _resource(read="p/{key"), "resources.patient.read"),
        (HTTP | _resource(read="https://elsewhere/{key}"), "not an address"),
        (HTTP | _resource(read="{key}", fresh=1), "resources.patient: unknown: fresh"),
        (HTTP | {"read_only": True} | _resource(write="p/{key}"), "yet a resource has write"),
        (SQL | {"address": "mysql://db/laboratory"}, "only postgresql://"),
        (SQL | {"address": "no url"}, "no database's URL"),
        (SQL | _resource(read="SELECT 1"), "resources.patient.read: it must hold :key"),
        (SQL | _resource(read="SELECT :key, :other"), ":key is the only parameter"),
        (SQL | _resource(write="UPDATE a SET b = :key"), "must hold :idempotency_key"),
        ("registry", "it is no table"),
    ],
)
def test_what_is_wrong_is_named(table: Any, reason: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        read_table("registry", table)
    assert reason in str(error.value)


def test_a_code_is_a_name() -> None:
    with pytest.raises(ConfigurationError, match="code"):
        read_table("Registry!", HTTP)


def test_time_outs_are_three_and_ten_seconds_unless_said_otherwise() -> None:
    system = read_table("registry", HTTP)
    assert (system.connect_timeout_s, system.read_timeout_s) == (3.0, 10.0)
    assert read_table("laboratory", SQL).resource("results").read.startswith("SELECT")


@pytest.mark.django_db
def test_a_wrong_table_quarantines_its_system_alone(settings: Settings) -> None:
    settings.PORTAL_OUTSIDE_SYSTEMS = {"registry": HTTP, "laboratory": SQL | {"kind": "x"}}
    assert set(declared().systems) == {"registry"}
    assert set(declared().quarantined) == {"laboratory"}
    problem = read("laboratory", "results", "1").problem
    assert problem.code == Code.CONFIGURATION
    assert "kind: 'x'" in problem.detail
    assert read("nowhere", "results", "1").problem.code == Code.CONFIGURATION
    assert "no resource" in read("registry", "nothing", "1").problem.detail


def test_a_secret_is_read_from_its_file_at_each_use_and_is_nowhere_else(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("first\n")
    system = read_table("registry", HTTP | {"auth": "bearer", "secret_file": str(secret)})
    assert system.secret() == "first"
    secret.write_text("second\n")
    assert system.secret() == "second"
    assert "second" not in repr(system)
    secret.unlink()
    with pytest.raises(OutsideFailure, match="configuration: secret_file cannot be read"):
        system.secret()


class Pigeon:
    """A kind that a module adds."""

    def __init__(self, system: Any) -> None:
        if not system.address.startswith("loft:"):
            raise ConfigurationError("address: a loft")

    def read(self, resource: Any, key: str) -> Any:
        return {"pigeon": key} if key != "lost" else ABSENT

    def write(self, resource: Any, key: str, payload: Any, idempotency_key: str) -> None: ...

    def probe(self) -> None: ...


@pytest.mark.django_db
def test_a_module_can_add_a_kind(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(configuration.KINDS, "pigeon", f"{__name__}.Pigeon")
    table = {"kind": "pigeon", "address": "loft:1", "resources": {"bird": {"read": "any"}}}
    settings.PORTAL_OUTSIDE_SYSTEMS = {"pigeons": table, "others": table | {"address": "x"}}
    assert read("pigeons", "bird", "7").value == {"pigeon": "7"}
    assert read("pigeons", "bird", "lost").value is None
    assert declared().quarantined == {"others": "address: a loft"}
