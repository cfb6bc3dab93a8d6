"""The demo's outside systems: two stand-in services, a laboratory's database, their declaration."""

from __future__ import annotations

import json
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from portal.connectors.stand_ins.laboratory import QUERY, READER, fill_database
from portal.demo import embedded
from portal.demo.environment import HOST

CONTROLS_FILE = "stand-ins.json"
_FOLDER = "outside"
_DATABASE = "laboratory"


@dataclass(frozen=True)
class StandIns:
    """How to start them, and where each is switched."""

    commands: dict[str, list[str]]
    controls: dict[str, str]
    declaration: Path


def prepare(state: Path, *, embedded_postgres: str | None) -> StandIns:
    """Choose ports and secrets, write the declaration of the systems (``PORTAL_OUTSIDE_SYSTEMS``).

    ``embedded_postgres`` is the URL of the demo's own server: the laboratory has a database on it.
    """
    folder = state / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    token = _secret(folder / "token")
    commands, controls, tables = {}, {}, []
    for name in ("registry", "laboratory"):
        port, control = embedded.free_port(), embedded.free_port()
        controls[name] = f"http://{HOST}:{control}"
        commands[name] = [
            *(sys.executable, "-W", "ignore::DeprecationWarning"),
            *("-m", "portal.connectors.stand_ins", name, "--port", str(port)),
            *("--control-port", str(control), "--token-file", str(token)),
            *("--keep-in", str(folder / f"{name}.json")),
        ]
        tables.append(_TABLES[name].format(address=f"http://{HOST}:{port}", token=token))
    if embedded_postgres:
        tables.append(_database(folder, embedded_postgres))
    declaration = folder / "systems.toml"
    declaration.write_text("\n".join(tables), encoding="utf-8")
    (state / CONTROLS_FILE).write_text(json.dumps(controls), encoding="utf-8")
    return StandIns(commands, controls, declaration)


def _secret(path: Path) -> Path:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24), encoding="ascii")
    return path


def _database(folder: Path, server_url: str) -> str:
    password = _secret(folder / "laboratory-password")
    embedded.create_database(server_url, _DATABASE)
    url = embedded.with_database(server_url, _DATABASE)
    fill_database(url, password.read_text(encoding="ascii"))
    return _SQL.format(
        address=url.replace("postgres@", f"{READER}@", 1), secret=password, query=QUERY
    )


_TABLES = {
    "registry": """
[registry]
label = "Patient registry"
kind = "http_json"
address = "{address}"
auth = "bearer"
secret_file = "{token}"
probe = "health"

[registry.resources.patient]
read = "patients/{{key}}"
keep_fresh_s = 600

[registry.resources.form]
read = "forms/{{key}}"
write = "forms/{{key}}"
keep_fresh_s = 60
""",
    "laboratory": """
[laboratory]
label = "Laboratory"
kind = "http_json"
address = "{address}"
auth = "bearer"
secret_file = "{token}"
probe = "health"
read_only = true

[laboratory.resources.results]
read = "results/{{key}}"
keep_fresh_s = 60
""",
}
_SQL = """
[laboratory_database]
label = "Laboratory, by its database"
kind = "sql"
address = "{address}"
secret_file = "{secret}"
read_only = true

[laboratory_database.resources.results]
read = "{query}"
keep_fresh_s = 60
"""
