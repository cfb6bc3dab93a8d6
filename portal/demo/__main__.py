"""`make demo`: the whole portal on one machine, from the database to the HL7 listener."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from portal.demo import embedded, processes, stand_ins
from portal.demo.environment import (
    HOST,
    ROOT,
    Ports,
    only_demo,
    process_environment,
    state_folder,
    write_environment_file,
)
from portal.demo.processes import ProcessError
from portal.demo.supervisor import Supervisor, rotate

_READY_LIMIT_S = 120.0
_TOO_MANY_DEATHS = 3
_SERVERS = ("redis", "postgres")  # the order in which they are stopped, after everything else
_FOLDERS = ("logs", "dispenser", "media", "mail", "beat")


def say(text: str) -> None:
    """Tell the person at the screen, at once."""
    print(text, flush=True)


def main() -> int:
    """Run until Ctrl-C; 0 then, 1 where the demo could not start."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    state = state_folder(os.environ)
    try:
        with only_demo(state):
            return _run(state)
    except ProcessError as error:
        print(f"\nThe demo cannot run. {error}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        return 0


def _interrupt(*_: object) -> None:
    # Once: from here on everything is being stopped, and a second Ctrl-C must not cut that short.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _run(state: Path) -> int:
    ports = Ports.chosen(os.environ)
    ports.check_free()
    shutil.rmtree(state / "metrics", ignore_errors=True)  # counts of processes that are gone
    for name in _FOLDERS:
        (state / name).mkdir(exist_ok=True)
    supervisor = Supervisor(state / "logs", say)
    environment_file: Path | None = None
    try:
        env = _start_servers(supervisor, state, ports)
        outside = _start_stand_ins(supervisor, state, env)
        people = _prepare(supervisor, state, env)
        _start_portal(supervisor, state, ports, env)
        _wait_until_ready(supervisor, env["PORTAL_BASE_URL"])
        environment_file = write_environment_file(state, env)
        say(_welcome(state, ports, env, people, outside.controls))
        while True:
            supervisor.look(time.monotonic())
            time.sleep(0.5)
    except KeyboardInterrupt:
        say("\nStopping …")
        raise
    finally:
        if environment_file is not None:
            environment_file.unlink(missing_ok=True)
        supervisor.stop([child.name for child in supervisor.children if child.name not in _SERVERS])
        for name in _SERVERS:
            supervisor.stop([name])
        say("Everything is stopped. The data stays in " + str(state))


def _start_servers(supervisor: Supervisor, state: Path, ports: Ports) -> dict[str, str]:
    database_url, redis_url = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
    if not database_url:
        say("Starting PostgreSQL …")
        service = embedded.prepare_postgres(state / "database", durable=True)
        _start_server(supervisor, "postgres", service)
        embedded.create_database(service.url, "portal")
        database_url = embedded.with_database(service.url, "portal")
    if not redis_url:
        say("Starting Redis …")
        service = embedded.prepare_redis(state / "redis", durable=True)
        _start_server(supervisor, "redis", service)
        redis_url = service.url
    return process_environment(
        state=state, ports=ports, database_url=database_url, redis_url=redis_url
    )


def _start_stand_ins(
    supervisor: Supervisor, state: Path, env: dict[str, str]
) -> stand_ins.StandIns:
    """The registry and the laboratory; from here on ``env`` names them."""
    own = None if os.environ.get("DATABASE_URL") else env["DATABASE_URL"]
    outside = stand_ins.prepare(state, embedded_postgres=own)
    env["PORTAL_OUTSIDE_SYSTEMS"] = str(outside.declaration)
    for name, command in outside.commands.items():
        supervisor.start(f"stand-in-{name}", functools.partial(_spawn, command, env))
    return outside


def _start_server(supervisor: Supervisor, name: str, service: processes.Service) -> None:
    # A database's log names every refused statement: those are the portal's errors, not its own.
    child = supervisor.start(
        name, service.spawn, stop_signal=service.stop_signal, report_errors=False
    )
    assert child.process is not None  # noqa: S101 it was just started
    processes.wait_until(
        service.is_ready, process=child.process, name=service.name, log=child.log, within_s=60
    )


def _prepare(supervisor: Supervisor, state: Path, env: dict[str, str]) -> list[dict[str, Any]]:
    rotate(supervisor.logs / "setup.log")
    manage = [sys.executable, str(ROOT / "manage.py")]
    for what, command in (
        ("Making the server's keys …", ["make_server_keys"]),
        ("Bringing the database up to date …", ["migrate", "--verbosity", "1", "--no-input"]),
        ("Loading the demo's data …", ["load_demo"]),
    ):
        say(what)
        supervisor.run([*manage, *command], env=env)
    # a log of its own: it prints PINs, and is overwritten by the next start
    (supervisor.logs / "people.log").unlink(missing_ok=True)
    printed = supervisor.run([*manage, "demo_people", "--json"], env=env, log_name="people")
    people = people_in(printed)
    (state / "people.json").write_text(json.dumps(people, ensure_ascii=False), encoding="utf-8")
    return people


def people_in(printed: str) -> list[dict[str, Any]]:
    """The JSON list that `manage.py demo_people --json` printed among warnings."""
    begins = f"\n{printed}".find("\n[")
    if begins < 0:
        raise ProcessError(f"`manage.py demo_people` named nobody:\n{printed}")
    people: list[dict[str, Any]] = json.JSONDecoder().raw_decode(printed, begins)[0]
    return people


def _start_portal(supervisor: Supervisor, state: Path, ports: Ports, env: dict[str, str]) -> None:
    python = [sys.executable, "-W", "ignore::DeprecationWarning"]
    celery = [*python, "-m", "celery", "-A", "portal.config"]
    say("Starting the identity provider, web pages, worker, beat and HL7 listener …")
    commands = {
        "identity-provider": [
            *python,
            *("-m", "portal.demo.identity_provider", "--people", str(state / "people.json")),
            *("--port", str(ports.oidc.number)),
        ],
        "web": [
            *(*python, "-m", "uvicorn", "portal.config.asgi:application"),
            *("--host", HOST, "--port", str(ports.web.number)),
            *("--timeout-graceful-shutdown", "3", "--no-access-log"),
        ],
        "worker": [*celery, "worker", "--loglevel", "INFO", "--concurrency", "2"],
        "beat": [
            *(*celery, "beat", "--loglevel", "INFO"),
            *("--schedule", str(state / "beat" / "schedule"), "--pidfile="),
        ],
        "hl7-listener": [*python, str(ROOT / "manage.py"), "hl7_listener"],
    }
    for name, command in commands.items():
        supervisor.start(name, functools.partial(_spawn, command, env | {"PORTAL_SERVICE": name}))


def _spawn(command: list[str], env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    return processes.spawn(command, log=log, env=env, cwd=ROOT)


def _wait_until_ready(supervisor: Supervisor, base_url: str) -> None:
    say("Waiting until it answers …")
    deadline = time.monotonic() + _READY_LIMIT_S
    while (trouble := _not_ready_because(supervisor, f"{base_url}/health/ready")) is not None:
        supervisor.look(time.monotonic())
        for child in supervisor.children:
            if child.deaths >= _TOO_MANY_DEATHS:
                raise ProcessError(f"{child.name} ends again and again; see {child.log}.")
        if time.monotonic() > deadline:
            raise ProcessError(
                f"{base_url}/health/ready did not say it is ready within"
                f" {_READY_LIMIT_S:.0f} s: {trouble}. See {supervisor.logs}."
            )
        time.sleep(0.5)


def _not_ready_because(supervisor: Supervisor, url: str) -> str | None:
    for child in supervisor.children:
        if not child.is_running():
            return f"{child.name} does not run"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never by a proxy
    try:
        with opener.open(url, timeout=10):
            return None
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read(500).decode('utf-8', errors='replace')}"
    except OSError as error:
        return str(error)


def _welcome(
    state: Path,
    ports: Ports,
    env: dict[str, str],
    people: list[dict[str, Any]],
    controls: dict[str, str],
) -> str:
    width = max((len(person["name"]) for person in people), default=0)
    lines = [
        "",
        f"  The portal runs at   {env['PORTAL_BASE_URL']}",
        f"  HL7 listener         {HOST}:{ports.hl7.number} (MLLP)",
        f"  Dispenser folder     {state / 'dispenser'}",
        *(f"  {f'Faults of {name}':<20} {address}" for name, address in controls.items()),
        f"  Logs                 {state / 'logs'}",
        "",
        "  Log in with one click as",
    ]
    for person in people:
        pin = f"   PIN {person['pin']}" if person.get("pin") else ""
        lines.append(f"    {person['name']:<{width}}   {person.get('role', '')}{pin}")
    lines += ["", "  Ctrl-C stops everything; the next start finds its data again.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
