"""Children that cannot outlive their parent: how `make demo` and the tests start and stop them."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

UNPRIVILEGED_USER = "nobody"
STOP_GRACE_S = 8.0
START_LIMIT_S = 60.0


class ProcessError(RuntimeError):
    """A child did not start, or ended when it should have run. The text is for a person."""


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    unprivileged: bool = False,
) -> subprocess.Popen[bytes]:
    """Start `argv` in a process group of its own, its output appended to `log`.

    On Linux the kernel sends it `death_signal` when the thread that called this ends, so that not
    even a killed parent leaves an orphan. With `unprivileged`, a parent that is root becomes
    `nobody` first (PostgreSQL refuses to run as root).
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [*_prefix(death_signal, unprivileged=unprivileged), *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            start_new_session=True,
        )


def is_root() -> bool:
    """Whether this process may become another user."""
    return os.geteuid() == 0


def give_to_unprivileged(folder: Path) -> None:
    """Make `folder` the property of whoever `spawn(unprivileged=True)` runs as."""
    if is_root():
        user = pwd.getpwnam(UNPRIVILEGED_USER)
        os.chown(folder, user.pw_uid, user.pw_gid)


def _prefix(death_signal: signal.Signals, *, unprivileged: bool) -> list[str]:
    setpriv = shutil.which("setpriv")
    become_other = unprivileged and is_root()
    if setpriv is None:
        if become_other:
            raise ProcessError(
                "As root, the database must run as another user, and `setpriv` (util-linux) is"
                " missing. Install it, or run as an ordinary user, or set DATABASE_URL."
            )
        return []
    prefix = [setpriv, "--pdeathsig", death_signal.name.removeprefix("SIG")]
    if become_other:
        user = pwd.getpwnam(UNPRIVILEGED_USER)
        prefix += ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
        # A clone in root's own home is closed to others. Rather than open that home, the child
        # keeps the one capability it needs to reach its programs and its data.
        prefix += ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]
    return [*prefix, "--"]


def wait_until(
    is_ready: Callable[[], bool],
    *,
    process: subprocess.Popen[bytes],
    name: str,
    log: Path,
    within_s: float,
) -> None:
    """Wait for `is_ready`; a child that ends, or takes too long, is a ProcessError with its log."""
    deadline = time.monotonic() + within_s
    while not is_ready():
        if process.poll() is not None:
            raise ProcessError(f"{name} ended with {process.returncode}:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise ProcessError(f"{name} was not ready after {within_s:.0f} s:\n{tail(log)}")
        time.sleep(0.05)


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log file, indented; empty where there is none."""
    if not log.exists():
        return ""
    text = log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    return "\n".join(f"    {line}" for line in text)


def stop(
    process: subprocess.Popen[bytes],
    how: signal.Signals = signal.SIGTERM,
    *,
    within_s: float = STOP_GRACE_S,
) -> None:
    """Ask the child to end, wait, and then kill whatever of its group is left."""
    if process.poll() is None:
        process.send_signal(how)
    wait_or_kill(process, within_s=within_s)


def wait_or_kill(process: subprocess.Popen[bytes], *, within_s: float) -> None:
    """Wait for a child that was asked to end, and kill whatever of its group is left."""
    try:
        process.wait(max(within_s, 0))
    except subprocess.TimeoutExpired:
        pass
    kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill (SIGKILL) everything in the child's process group and reap the child."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


@dataclass(frozen=True)
class Service:
    """A process that is prepared to be started, any number of times, at the same address."""

    name: str
    argv: tuple[str, ...]
    url: str = field(repr=False)  # may hold a password
    stop_signal: signal.Signals
    is_ready: Callable[[], bool]
    env: dict[str, str] | None = None
    unprivileged: bool = False
    cwd: Path | None = None

    def spawn(self, log: Path) -> subprocess.Popen[bytes]:
        """Start the process; `is_ready` says when it can be used."""
        return spawn(
            self.argv,
            log=log,
            env=self.env,
            death_signal=self.stop_signal,
            unprivileged=self.unprivileged,
            cwd=self.cwd,
        )


class RunningService:
    """A started one: its `url`, and how to stop, kill and start it again."""

    def __init__(self, service: Service, log: Path) -> None:
        self.service = service
        self.log = log
        self.url = service.url
        self.process = service.spawn(log)
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        try:
            wait_until(
                self.service.is_ready,
                process=self.process,
                name=self.service.name,
                log=self.log,
                within_s=START_LIMIT_S,
            )
        except BaseException:
            kill_group(self.process)
            raise

    def stop(self) -> None:
        """End it in order; what it keeps is on disk afterwards."""
        stop(self.process, self.service.stop_signal)

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        kill_group(self.process)

    def start_again(self) -> None:
        """Start it after `stop` or `kill`, at the same address."""
        self.process = self.service.spawn(self.log)
        self._wait_until_ready()
