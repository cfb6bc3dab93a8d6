"""Where the demo is and keeps things: ports, folders, and the environment its processes share."""

from __future__ import annotations

import fcntl
import os
import shlex
import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from portal.demo.processes import ProcessError

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
SETTINGS = "portal.config.settings.demo"
_ENVIRONMENT_FILE = "environment"
_LOCK_FILE = "lock"


@dataclass(frozen=True)
class Port:
    """A TCP port of the demo and the variable that chooses another one."""

    what: str
    variable: str
    number: int


@dataclass(frozen=True)
class Ports:
    """Every port the demo listens on that people or machines are told about."""

    web: Port
    hl7: Port
    oidc: Port

    @classmethod
    def chosen(cls, environ: Mapping[str, str]) -> Ports:
        """The usual numbers, or those in the environment; ProcessError for what is no port."""
        return cls(
            web=_port("the web pages", "PORTAL_DEMO_PORT", 8000, environ),
            hl7=_port("the HL7 listener", "PORTAL_DEMO_HL7_PORT", 2575, environ),
            oidc=_port("the identity provider", "PORTAL_DEMO_OIDC_PORT", 9400, environ),
        )

    def check_free(self) -> None:
        """ProcessError naming each port that something else listens on, and how to change it."""
        taken = [port for port in (self.web, self.hl7, self.oidc) if not _is_free(port.number)]
        if taken:
            raise ProcessError(
                "\n".join(
                    f"Port {port.number} for {port.what} is taken by another program. Stop that,"
                    f" or choose another one: {port.variable}={port.number + 1} make demo"
                    for port in taken
                )
            )


def _port(what: str, variable: str, usual: int, environ: Mapping[str, str]) -> Port:
    text = environ.get(variable) or str(usual)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ProcessError(f"{variable}={text} is not a port: write a number from 1 to 65535.")
    return Port(what, variable, int(text))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError as error:
            raise ProcessError(f"Port {port} needs rights that you do not have.") from error
        except OSError:
            return False
        return True


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where the demo keeps everything: `var/demo`, or `PORTAL_STATE_DIR`."""
    return Path(environ.get("PORTAL_STATE_DIR") or ROOT / "var" / "demo").resolve()


def process_environment(
    *, state: Path, ports: Ports, database_url: str, redis_url: str
) -> dict[str, str]:
    """What the portal's own processes read, over the environment the demo was started in."""
    inherited = {
        key: value
        for key, value in os.environ.items()
        if key not in {"PORTAL_LOG_DIR", "PORTAL_KEYS_DIR", "PORTAL_ANCHOR_FILE"}
    }
    return inherited | {
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "PORTAL_STATE_DIR": str(state),
        "PORTAL_METRICS_DIR": str(state / "metrics"),
        "PORTAL_METRICS_NETWORKS": f"{HOST}/32",
        "PORTAL_BASE_URL": f"http://{HOST}:{ports.web.number}",
        "PORTAL_HL7_HOST": HOST,
        "PORTAL_HL7_PORT": str(ports.hl7.number),
        "OIDC_ISSUER": f"http://{HOST}:{ports.oidc.number}",
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def only_demo(state: Path) -> Generator[None, None, None]:
    """Hold the folder for one demo; ProcessError where another one has it."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / _LOCK_FILE).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ProcessError(
                f"It runs already, as process {running_as(state)}, with the data in {state}."
                " Use that one, or end it with Ctrl-C where it runs."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def running_as(state: Path) -> str | None:
    """The process id of the demo that has its data in `state`, or None where none runs."""
    try:
        with (state / _LOCK_FILE).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return (state / _LOCK_FILE).read_text(encoding="ascii").strip() or "unknown"


_SHARED = (
    "DATABASE_URL",
    "REDIS_URL",
    "PORTAL_STATE_DIR",
    "PORTAL_BASE_URL",
    "PORTAL_HL7_PORT",
    "OIDC_ISSUER",
    "PORTAL_OUTSIDE_SYSTEMS",
)


def write_environment_file(state: Path, env: Mapping[str, str]) -> Path:
    """Leave what a second terminal needs to reach the running demo; only its owner can read it."""
    path = state / _ENVIRONMENT_FILE
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(
        "".join(f"{name}={shlex.quote(env[name])}\n" for name in _SHARED if name in env),
        encoding="utf-8",
    )
    return path


def use_running_demo(environ: dict[str, str] | os._Environ[str] = os.environ) -> bool:
    """Point this process at the running demo's servers, unless it was told of others.

    `manage.py` calls this so that `manage.py audit_verify` works in a second terminal while
    `make demo` runs in the first. Does nothing, and returns False, where no demo runs,
    `DATABASE_URL` is set, or the settings are others than the demo's.
    """
    state = state_folder(environ)
    path = state / _ENVIRONMENT_FILE
    if environ.get("DJANGO_SETTINGS_MODULE", SETTINGS) != SETTINGS or "DATABASE_URL" in environ:
        return False
    if not path.exists() or running_as(state) is None:
        return False
    for word in shlex.split(path.read_text(encoding="utf-8")):
        name, _, value = word.partition("=")
        environ.setdefault(name, value)
    return True
