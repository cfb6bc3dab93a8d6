"""pytest plugin: which test shows which requirement, and the validation pack made from that.

`@pytest.mark.requirement("TS-024")` names the requirements a test shows to hold. With
`--validation-dir=build/validation` the run writes there

| file             | what                                                                        |
|------------------|-----------------------------------------------------------------------------|
| `matrix.csv`     | `requirement,test,outcome`: one row per requirement and test                |
| `coverage.csv`   | `requirement,title,tests,outcome`: one row per requirement, tested or not   |
| `validation.pdf` | IQ and OQ on paper, sealed (`tests/support/validation.py`)                  |
| `seal.pem`       | the certificate that the seal was made with                                 |

The seal is made with the server keys in `PORTAL_KEYS_DIR` where the run was given one, otherwise
with those of `.cache/validation-keys`, which are made once.
`docs/requirements.csv` (`requirement,title`) lists every requirement; a mark with a number that is
not in it stops the run.
"""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["tests.support.services"]

_NUMBER = re.compile(r"[A-Z]{2}-\d{3}")
_PROPERTY = "requirement"
# as it was given: tests get keys of their own (services.py)
_KEYS_FOLDER = os.environ.get("PORTAL_KEYS_DIR")
UNTESTED = "untested"
# the worse of two phases of a test counts
_WORSE = ["passed", "xfailed", "skipped", "xpassed", "failed", "error"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("validation").addoption(
        "--validation-dir",
        type=Path,
        metavar="FOLDER",
        help="write the requirements' matrix.csv, coverage.csv and sealed validation.pdf there",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "requirement(*numbers): the requirements that this test shows to hold"
    )
    folder = config.getoption("--validation-dir")
    if folder is not None and not hasattr(config, "workerinput"):
        keys = Path(_KEYS_FOLDER or config.rootpath / ".cache" / "validation-keys")
        known = known_requirements(config.rootpath)
        config.pluginmanager.register(Matrix(folder.absolute(), known, keys))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    known = known_requirements(config.rootpath)
    wrong: list[str] = []
    for item in items:
        numbers = requirements_of(item, wrong)
        wrong += [
            f"{item.nodeid}: {number} is not in docs/requirements.csv"
            for number in numbers
            if known and number not in known
        ]
        # reports carry properties from xdist's workers to the process that writes the matrix
        item.user_properties += [(_PROPERTY, number) for number in numbers]
    if wrong:
        raise pytest.UsageError("\n".join(wrong))


def requirements_of(item: pytest.Item, wrong: list[str]) -> list[str]:
    """The numbers on a test, once each; what is not a number is added to `wrong`."""
    numbers: dict[str, None] = {}
    for mark in item.iter_markers("requirement"):
        if not mark.args or mark.kwargs:
            wrong.append(f'{item.nodeid}: write @pytest.mark.requirement("TS-024")')
        for number in mark.args:
            if isinstance(number, str) and _NUMBER.fullmatch(number):
                numbers[number] = None
            else:
                wrong.append(f"{item.nodeid}: {number!r} is no requirement's number")
    return list(numbers)


def known_requirements(root: Path) -> dict[str, str]:
    """Number → title out of `docs/requirements.csv`; empty where there is no such file."""
    path = root / "docs" / "requirements.csv"
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["requirement"]: row["title"] for row in csv.DictReader(file)}


@dataclass(frozen=True, order=True)
class Row:
    """One line of the matrix."""

    requirement: str
    test: str
    outcome: str


@dataclass(frozen=True)
class Coverage:
    """One requirement: how many tests show it, and the worst of their outcomes."""

    requirement: str
    title: str
    tests: int
    outcome: str
    """As in the matrix, or ``untested``."""


def coverage_of(rows: Sequence[Row], known: Mapping[str, str]) -> list[Coverage]:
    """Every requirement there is, in the order of its number."""
    outcomes: dict[str, list[str]] = {number: [] for number in known}
    for row in rows:
        outcomes.setdefault(row.requirement, []).append(row.outcome)
    return [
        Coverage(
            number,
            known.get(number, ""),
            len(found),
            max(found, key=_WORSE.index) if found else UNTESTED,
        )
        for number, found in sorted(outcomes.items())
    ]


@dataclass
class Matrix:
    """Collects outcomes as tests report them, and writes the pack when the run ends."""

    folder: Path
    known: dict[str, str]
    keys: Path
    outcomes: dict[str, str] = field(default_factory=dict)
    requirements: dict[str, list[str]] = field(default_factory=dict)
    run: Counter[str] = field(default_factory=Counter)
    """Outcomes of all tests of the run, also of those that name no requirement."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome = outcome_of(report)
        if report.when == "call" or outcome != "passed":
            self.run[outcome] += 1
        numbers = [str(value) for name, value in report.user_properties if name == _PROPERTY]
        if not numbers:
            return
        self.requirements[report.nodeid] = numbers
        seen = self.outcomes.get(report.nodeid, "passed")
        self.outcomes[report.nodeid] = max(seen, outcome, key=_WORSE.index)

    def rows(self) -> list[Row]:
        """The matrix, ordered by requirement and test."""
        return sorted(
            Row(number, test, self.outcomes[test])
            for test, numbers in self.requirements.items()
            for number in numbers
        )

    def coverage(self) -> list[Coverage]:
        return coverage_of(self.rows(), self.known)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        from tests.support.validation import write_report

        self.folder.mkdir(parents=True, exist_ok=True)
        write_csv(self.folder / "matrix.csv", Row, self.rows())
        write_csv(self.folder / "coverage.csv", Coverage, self.coverage())
        write_report(self)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        coverage = self.coverage()
        untested = sum(line.outcome == UNTESTED for line in coverage)
        terminalreporter.write_line(
            f"validation: {len(coverage) - untested} requirements shown by {len(self.outcomes)}"
            f" tests, {untested} by none, written to {self.folder}"
        )


def write_csv(path: Path, kind: type[Any], rows: Sequence[Any]) -> None:
    """The rows' fields under their names."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([each.name for each in fields(kind)])
        writer.writerows(astuple(row) for row in rows)


def outcome_of(report: pytest.TestReport) -> str:
    """pytest's outcome of one phase; what fails outside the test itself is an error."""
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed and report.when != "call":
        return "error"
    return report.outcome
