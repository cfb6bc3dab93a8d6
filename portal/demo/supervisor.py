"""A small supervisor: starts children, restarts those that die, and stops all of them in order."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from portal.demo import processes
from portal.demo.processes import ProcessError

KEPT_LOGS = 4
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_STEADY_AFTER_S = 60.0
_QUIET_BETWEEN_ERRORS_S = 10.0
_ERROR = re.compile(rb'"level": ?"(ERROR|CRITICAL)"|\b(ERROR|CRITICAL|FATAL|PANIC)\b')

Say = Callable[[str], None]


@dataclass
class Child:
    """One supervised process and how to start it anew."""

    name: str
    spawn: Callable[[Path], subprocess.Popen[bytes]]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    report_errors: bool = True
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float | None = None
    deaths: int = 0  # since it last ran steadily
    read_to: int = field(default=0, repr=False)
    errors: int = field(default=0, repr=False)
    last_report_at: float = field(default=float("-inf"), repr=False)

    def start(self, now: float) -> None:
        """Start it, at the time `now` of the monotonic clock."""
        self.process = self.spawn(self.log)
        self.started_at, self.start_again_at = now, None

    def is_running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Keeps children running and their output in `logs`; `say` tells the person at the screen."""

    def __init__(self, logs: Path, say: Say) -> None:
        self.logs = logs
        self.say = say
        self.children: list[Child] = []
        self._step: subprocess.Popen[bytes] | None = None

    # --- starting ----------------------------------------------------------------------------

    def start(
        self,
        name: str,
        spawn: Callable[[Path], subprocess.Popen[bytes]],
        *,
        stop_signal: signal.Signals = signal.SIGTERM,
        report_errors: bool = True,
    ) -> Child:
        """Start a child whose output goes to `<logs>/<name>.log`; older logs are kept a while."""
        log = self.logs / f"{name}.log"
        rotate(log)
        child = Child(name, spawn, log, stop_signal, report_errors)
        self.children.append(child)
        child.start(time.monotonic())
        return child

    def run(self, argv: Sequence[str], *, env: Mapping[str, str], log_name: str = "setup") -> str:
        """Run a command to its end and return what it printed; ProcessError where it fails."""
        log = self.logs / f"{log_name}.log"
        begins = log.stat().st_size if log.exists() else 0
        self._step = processes.spawn(argv, log=log, env=env)
        try:
            status = self._step.wait()
        finally:
            processes.kill_group(self._step)
            self._step = None
        if status:
            what = " ".join(Path(word).name for word in argv[:3])
            raise ProcessError(f"`{what}` ended with {status}; see {log}:\n{processes.tail(log)}")
        with log.open("rb") as output:
            output.seek(begins)
            return output.read().decode("utf-8", errors="replace")

    # --- watching ----------------------------------------------------------------------------

    def look(self, now: float) -> None:
        """Notice what ended or complained since the last look; start anew what is due."""
        for child in self.children:
            if child.report_errors:
                self._report_errors(child, now)
            if child.is_running():
                if child.deaths and now - child.started_at > _STEADY_AFTER_S:
                    child.deaths = 0
            elif child.start_again_at is None:
                self._plan_restart(child, now)
            elif now >= child.start_again_at:
                child.start(now)
                self.say(f"{child.name} was started again.")

    def _plan_restart(self, child: Child, now: float) -> None:
        if child.process is None:
            return
        processes.kill_group(child.process)  # what it started itself must not stay behind
        pause_s = min(_FIRST_PAUSE_S * 2**child.deaths, _LONGEST_PAUSE_S)
        child.deaths += 1
        child.start_again_at = now + pause_s
        self.say(
            f"{child.name} ended with {child.process.returncode};"
            f" it is started again in {pause_s:.0f} s. The end of {child.log}:\n"
            f"{processes.tail(child.log, 5)}"
        )

    def _report_errors(self, child: Child, now: float) -> None:
        with child.log.open("rb") as log:
            log.seek(child.read_to)
            lines = log.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()  # half written
        child.read_to += sum(map(len, lines))
        errors = [line for line in lines if _ERROR.search(line)]
        child.errors += len(errors)
        if errors and now - child.last_report_at > _QUIET_BETWEEN_ERRORS_S:
            count = "an error" if child.errors == 1 else f"{child.errors} errors"
            self.say(f"{child.name} logged {count}: {message_of(errors[-1])} ({child.log})")
            child.errors, child.last_report_at = 0, now

    # --- stopping ----------------------------------------------------------------------------

    def stop(self, names: Sequence[str] | None = None) -> None:
        """Stop these children (or all) together and take them off the list."""
        if self._step is not None:
            processes.kill_group(self._step)
        chosen = [child for child in self.children if names is None or child.name in names]
        deadline = time.monotonic() + processes.STOP_GRACE_S
        for child in chosen:
            if child.process is not None and child.is_running():
                child.process.send_signal(child.stop_signal)
        for child in chosen:
            if child.process is not None:
                processes.wait_or_kill(child.process, within_s=deadline - time.monotonic())
        self.children = [child for child in self.children if child not in chosen]


def rotate(log: Path, kept: int = KEPT_LOGS) -> None:
    """Make room for a new log: `web.log` becomes `web.log.1`, and so on up to `kept`."""
    for number in range(kept - 1, -1, -1):
        older = log.with_name(f"{log.name}.{number}") if number else log
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))


def message_of(line: bytes, longest: int = 160) -> str:
    """What a log line says: a JSON line's message, any other line as it is, cut to one line."""
    text = line.decode("utf-8", errors="replace").strip()
    try:
        text = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        pass
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
