import functools
import json
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from portal.demo import environment, processes
from portal.demo.embedded import free_port
from portal.demo.environment import Ports, only_demo, use_running_demo, write_environment_file
from portal.demo.processes import ProcessError
from portal.demo.supervisor import Child, Supervisor, message_of, rotate

pytestmark = pytest.mark.requirement("OP-001")


class Screen(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def supervisor(tmp_path: Path, screen: Screen):
    made = Supervisor(tmp_path / "logs", screen)
    yield made
    made.stop()


def python(supervisor: Supervisor, name: str, program: str) -> Child:
    command = [sys.executable, "-u", "-c", program]
    return supervisor.start(name, lambda log: processes.spawn(command, log=log))


def until(condition, within_s: float = 10):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def test_a_child_that_dies_is_started_again_after_a_growing_pause(
    supervisor: Supervisor, screen: Screen
):
    child = python(supervisor, "web", "print('last words'); raise SystemExit(3)")
    pauses = []
    now = 0.0
    for _ in range(4):
        until(lambda: not child.is_running())
        supervisor.look(now)
        pauses.append(child.start_again_at - now)
        now = child.start_again_at
        supervisor.look(now)
    assert pauses == [1, 2, 4, 8]
    assert screen[0].startswith("web ended with 3; it is started again in 1 s.")
    assert "last words" in screen[0]
    assert screen[1] == "web was started again."


def test_a_child_that_ran_steadily_is_forgiven_its_deaths(supervisor: Supervisor):
    child = python(supervisor, "web", "import time; time.sleep(600)")
    child.deaths, child.started_at = 5, 0.0
    supervisor.look(61.0)
    assert child.deaths == 0


def test_errors_in_a_log_are_told_once_in_a_while_and_counted(
    supervisor: Supervisor, screen: Screen
):
    child = python(supervisor, "worker", "import time; time.sleep(600)")
    now = time.monotonic()
    with child.log.open("a") as log:
        log.write('{"level": "INFO", "message": "no ERR here"}\n')
        log.write('{"level": "ERROR", "message": "no\\nvial"}\n{"level": "ERR')
        log.flush()
        supervisor.look(now)
        assert screen == [f"worker logged an error: no vial ({child.log})"]
        log.write('OR", "message": "second"}\nERROR: third\n')
        log.flush()
        supervisor.look(now + 1)
        assert len(screen) == 1
        log.write("CRITICAL: fourth\n")
        log.flush()
        supervisor.look(now + 20)
        assert screen[1] == f"worker logged 3 errors: CRITICAL: fourth ({child.log})"


def test_stopping_also_ends_what_a_child_started_and_one_that_does_not_listen(
    supervisor: Supervisor, tmp_path: Path
):
    pids = tmp_path / "pids"
    child = python(
        supervisor,
        "stubborn",
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "kid = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{kid.pid}} ')\n"
        "time.sleep(600)",
    )
    until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    process = child.process
    processes.stop(process, signal.SIGTERM, within_s=0.2)
    assert process.returncode == -signal.SIGKILL
    kid = int(pids.read_text().split()[1])
    until(lambda: not is_running(kid))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_failing_step_names_the_command_and_shows_the_end_of_its_output(supervisor: Supervisor):
    with pytest.raises(ProcessError, match=r"(?s)ended with 4.*the reason"):
        supervisor.run([sys.executable, "-c", "print('the reason'); raise SystemExit(4)"], env={})


def test_a_step_gives_back_what_it_alone_printed(supervisor: Supervisor):
    run = functools.partial(supervisor.run, env={})
    assert run([sys.executable, "-c", "print('first')"]) == "first\n"
    assert run([sys.executable, "-c", "print('second')"]) == "second\n"


def test_four_older_logs_are_kept(tmp_path: Path):
    log = tmp_path / "web.log"
    for start in range(7):
        rotate(log)
        log.write_text(str(start))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "web.log": "6",
        "web.log.1": "5",
        "web.log.2": "4",
        "web.log.3": "3",
        "web.log.4": "2",
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"message": "a\\n b"}', "a b"),
        (b"[1, 2] ERROR", "[1, 2] ERROR"),
        (b"\xff", "\ufffd"),
        (b"x" * 200, "x" * 159 + "…"),
    ],
)
def test_a_log_line_is_told_as_one_line(line: bytes, message: str):
    assert message_of(line) == message


def test_a_taken_port_is_named_with_the_variable_that_changes_it():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        ports = Ports.chosen(
            {
                "PORTAL_DEMO_HL7_PORT": str(number),
                "PORTAL_DEMO_PORT": str(free_port()),
                "PORTAL_DEMO_OIDC_PORT": str(free_port()),
            }
        )
        with pytest.raises(ProcessError) as error:
            ports.check_free()
    assert f"Port {number} for the HL7 listener is taken" in str(error.value)
    assert "PORTAL_DEMO_HL7_PORT=" in str(error.value)
    assert "PORTAL_DEMO_PORT" not in str(error.value)


@pytest.mark.parametrize("text", ["web", "0", "65536", "-1", "80 80"])
def test_what_is_no_port_number_is_refused(text: str):
    with pytest.raises(ProcessError, match="PORTAL_DEMO_PORT="):
        Ports.chosen({"PORTAL_DEMO_PORT": text})


def test_the_usual_ports_are_those_of_the_documentation():
    ports = Ports.chosen({})
    assert (ports.web.number, ports.hl7.number, ports.oidc.number) == (8000, 2575, 9400)


def test_a_second_demo_on_the_same_folder_is_refused_and_a_later_one_is_not(tmp_path: Path):
    assert environment.running_as(tmp_path) is None
    with only_demo(tmp_path):
        assert environment.running_as(tmp_path) is not None
        with pytest.raises(ProcessError, match="It runs already, as process"), only_demo(tmp_path):
            pytest.fail("two demos held one folder")
    with only_demo(tmp_path):
        pass


def test_a_second_terminal_finds_the_running_demo_and_only_a_running_one(tmp_path: Path):
    written = {
        "DATABASE_URL": "postgresql://postgres@/portal?host=/a b/socket",
        "REDIS_URL": "redis://:p'w@127.0.0.1:1/0",
        "PORTAL_STATE_DIR": str(tmp_path),
        "PORTAL_BASE_URL": "http://127.0.0.1:8000",
        "PORTAL_HL7_PORT": "2575",
        "OIDC_ISSUER": "http://127.0.0.1:9400",
    }
    with only_demo(tmp_path):
        path = write_environment_file(tmp_path, written)
        assert path.stat().st_mode & 0o077 == 0
        found = {"PORTAL_STATE_DIR": str(tmp_path)}
        assert use_running_demo(found) is True
        assert found == written
        production = {
            "PORTAL_STATE_DIR": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "portal.config.settings.production",
        }
        assert use_running_demo(production) is False
        assert "DATABASE_URL" not in production
        told = {"PORTAL_STATE_DIR": str(tmp_path), "DATABASE_URL": "postgresql:///other"}
        assert use_running_demo(told) is False
        assert told["DATABASE_URL"] == "postgresql:///other"
    assert use_running_demo({"PORTAL_STATE_DIR": str(tmp_path)}) is False


def test_people_printed_among_warnings_are_found():
    from portal.demo.__main__ import people_in

    people = [{"sub": "anna", "groups": ["a[b]"]}]
    with pytest.raises(ProcessError):
        people_in("nothing here")
    assert people_in(f"a warning [old]\n{json.dumps(people)}\na late one\n") == people
