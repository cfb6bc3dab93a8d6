"""`python -m tests.bench [names]`: run every `bench_*.py` here and write docs/benchmarks.md.

Each benchmark has a function `run() -> dict` whose `measures` are rows of the table. It is run in
a process of its own, with Django set up, on a fresh copy of a migrated database in a durable
PostgreSQL (fsync on) and with a Redis; `DATABASE_URL` and `REDIS_URL` in the environment point at
real servers instead. Ends with status 1 when a benchmark fails or misses a target.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from portal.demo import embedded
from tests.bench.measures import Measure

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
REPORT = ROOT / "docs" / "benchmarks.md"
TEMPLATE = "bench_template"


def main() -> int:
    """Run the benchmarks that were named, or all; the report is written when all were run."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("names", nargs="*", help="bench_hl7 …; all of them where none is named")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.into:
        return _run_here(given.names[0], given.into)
    names = given.names or sorted(path.stem for path in HERE.glob("bench_*.py"))
    with _servers() as server_url:
        machine = _machine(server_url)
        results = {name: _run_in_process(name, server_url) for name in names}
    report = render(results, machine)
    print(report)
    if not given.names:
        REPORT.write_text(report, encoding="utf-8")
        print(f"Written to {REPORT.relative_to(ROOT)}.")
    everything = [measure for measures in results.values() for measure in measures or ()]
    return int(None in results.values() or any(meets(m) is False for m in everything))


# --- one benchmark -------------------------------------------------------------------------------


def _run_here(name: str, into: Path) -> int:
    """In the child: set Django up, run, hand the measures back."""
    import django

    django.setup()
    result = importlib.import_module(f"tests.bench.{name}").run()
    into.write_text(json.dumps([asdict(measure) for measure in result["measures"]]))
    return 0


def _run_in_process(name: str, server_url: str) -> list[Measure] | None:
    """The benchmark's measures; None when it failed (what it said is on the screen)."""
    print(f"{name} …", flush=True)
    database = f"bench_{name}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        place = sql.Identifier(database)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(place))
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(place, sql.Identifier(TEMPLATE))
        )
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "measures.json"
        ended = subprocess.run(
            [sys.executable, "-m", "tests.bench", name, "--into", str(into)],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": embedded.with_database(server_url, database)},
            check=False,
        )
        if ended.returncode != 0:
            return None
        return [Measure(**values) for values in json.loads(into.read_text())]


# --- what it runs on -----------------------------------------------------------------------------


@contextmanager
def _servers() -> Generator[str, None, None]:
    """PostgreSQL with a migrated template and Redis, and the environment to use them."""
    # not in the machine's temporary folder: that may be memory, where fsync costs nothing
    place = ROOT / "build"
    place.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, prefix="bench-") as name:
        folder = Path(name)
        started = []
        try:
            url = os.environ.get("DATABASE_URL")
            if url is None:
                started.append(embedded.start_postgres(folder / "postgres", durable=True))
                url = started[-1].url
            if "REDIS_URL" not in os.environ:
                started.append(embedded.start_redis(folder / "redis", durable=False))
                os.environ["REDIS_URL"] = started[-1].url
            os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
            os.environ["PORTAL_STATE_DIR"] = str(folder / "state")
            server_url = embedded.with_database(url, "postgres")
            _make_template(server_url)
            yield server_url
        finally:
            for service in reversed(started):
                service.stop()


def _make_template(server_url: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        name = sql.Identifier(TEMPLATE)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
    embedded.create_database(server_url, TEMPLATE)
    env = os.environ | {"DATABASE_URL": embedded.with_database(server_url, TEMPLATE)}
    for command in (["migrate", "--skip-checks", "--verbosity", "0"], ["make_server_keys"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=env, check=True)


def _machine(server_url: str) -> str:
    with psycopg.connect(server_url) as connection:
        postgres = connection.info.parameter_status("server_version")
        fsync = connection.execute("SHOW fsync").fetchone()
    cpus = os.cpu_count()
    return (
        f"{platform.system()} {platform.machine()}, {_processor()}, {cpus} CPUs,"
        f" Python {platform.python_version()}, PostgreSQL {postgres}"
        f" (fsync {fsync[0] if fsync else 'unknown'})"
    )


def _processor() -> str:
    place = Path("/proc/cpuinfo")
    known = place.read_text(encoding="ascii", errors="replace") if place.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", known, re.MULTILINE)
    return found[1] if found else platform.processor() or "unknown processor"


# --- the report ----------------------------------------------------------------------------------


def render(results: dict[str, list[Measure] | None], machine: str) -> str:
    """The table as Markdown."""
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` at {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {machine}.",
        "What matters is the ratios: both sides of each were measured in the same run.",
        "",
        "| what | number | unit | target | met | compared with |",
        "|---|---:|---|---|---|---|",
    ]
    for name, measures in results.items():
        if measures is None:
            lines.append(f"| {name} | failed | | | no | |")
        lines += [_row(measure) for measure in measures or ()]
    return "\n".join(lines) + "\n"


def _row(measure: Measure) -> str:
    met = {None: "", True: "yes", False: "**no**"}[meets(measure)]
    cells: Sequence[str] = (
        measure.name,
        _written(measure.number),
        measure.unit,
        measure.target,
        met,
        measure.compared_with,
    )
    return f"| {' | '.join(cells)} |"


def _written(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"


def meets(measure: Measure) -> bool | None:
    """Whether the number meets a target written as `≥ 0.7`, `≤ 3` or `= 12`; None without one."""
    if not measure.target:
        return None
    sign, _, limit = measure.target.partition(" ")
    bound = float(limit)
    return {
        "≥": measure.number >= bound,
        "≤": measure.number <= bound,
        "=": measure.number == bound,
    }[sign]


if __name__ == "__main__":
    sys.exit(main())
