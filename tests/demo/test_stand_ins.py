"""The demo's outside systems: declared as they run, their faults switched from outside."""

from __future__ import annotations

import functools
import signal
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest
from pytest_django import Settings

from portal.connectors.configuration import declared
from portal.connectors.problems import Code
from portal.connectors.services import read
from portal.connectors.stand_ins.server import Fault, StandIn
from portal.demo import faults, stand_ins
from portal.demo.embedded import with_database
from portal.demo.processes import Service
from tests.support.processes import running
from tests.support.services import Services, drop_database


@pytest.fixture
def demo(
    tmp_path: Path, services: Services, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setattr(stand_ins, "_DATABASE", f"demo_laboratory_{services.worker}")
    server_url = with_database(services.server_url, "postgres")
    prepared = stand_ins.prepare(tmp_path, embedded_postgres=server_url)
    monkeypatch.setenv("PORTAL_STATE_DIR", str(tmp_path))
    settings.PORTAL_OUTSIDE_SYSTEMS = tomllib.loads(prepared.declaration.read_text())
    started: list[Any] = []
    for name, command in prepared.commands.items():
        ready = functools.partial(_answers, prepared.controls[name])
        service = Service(
            name=name, argv=tuple(command), url="", stop_signal=signal.SIGTERM, is_ready=ready
        )
        context = running(service)
        context.__enter__()
        started.append(context)
    yield prepared
    for context in started:
        context.__exit__(None, None, None)
    drop_database(services.server_url, stand_ins._DATABASE)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/state", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.django_db
def test_the_demo_declares_what_it_runs(demo: stand_ins.StandIns) -> None:
    assert declared().quarantined == {}
    assert read("registry", "patient", "104217").value["initials"] == "A.B."
    by_http = read("laboratory", "results", "104217").value
    by_sql = read("laboratory_database", "results", "104217").value
    assert [row["value"] for row in by_http] == [row["value"] for row in by_sql]
    assert len(by_http) == 42


@pytest.mark.django_db
def test_faults_are_switched_from_a_second_terminal(
    demo: stand_ins.StandIns, capsys: pytest.CaptureFixture[str]
) -> None:
    assert faults.main(["registry", "refused"]) == 0
    assert "refuses connections" in capsys.readouterr().out
    assert read("registry", "patient", "104217").problem.code == Code.AWAY
    assert read("laboratory", "results", "104217").problem is None
    assert faults.main(["registry", "none"]) == 0
    assert read("registry", "patient", "104217").problem is None
    assert faults.main(["registry", "asleep"]) == 2
    assert faults.main(["printer", "slow"]) == 2
    assert "make demo-faults" in capsys.readouterr().err


def test_without_a_running_demo_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORTAL_STATE_DIR", str(tmp_path))
    assert faults.main([]) == 1
    (tmp_path / stand_ins.CONTROLS_FILE).write_text('{"registry": "http://127.0.0.1:1"}')
    assert faults.main([]) == 1
    assert "make demo" in capsys.readouterr().err


def test_faults_are_switched_on_a_page() -> None:
    stand_in = StandIn("registry", lambda asked: None, "token")  # type: ignore[arg-type, return-value]
    stand_in.start()
    try:
        with httpx.Client(base_url=stand_in.control_url, trust_env=False) as visitor:
            assert "breaks off" in visitor.get("/").text
            visitor.post("/fault/half", headers={"Accept": "text/html"}, follow_redirects=True)
            assert stand_in.fault == Fault.HALF
            assert visitor.post("/fault/nothing").status_code == 404
    finally:
        stand_in.stop()
