"""pytest plugin: which test shows which requirement, and the validation pack made from that.

`@pytest.mark.requirement("TS-024")` names the requirements a test shows to hold. With
`--validation-dir=build/validation` the run writes `matrix.csv` (columns
`requirement,test,outcome`, one row per requirement and test) and `validation.pdf`.
`docs/requirements.csv` (`requirement,title`) lists every requirement; a mark with a number that is
not in it stops the run.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytest_plugins = ["tests.support.services"]

_NUMBER = re.compile(r"[A-Z]{2}-\d{3}")
_PROPERTY = "requirement"
# the worse of two phases of a test counts
_WORSE = ["passed", "xfailed", "skipped", "xpassed", "failed", "error"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("validation").addoption(
        "--validation-dir",
        type=Path,
        metavar="FOLDER",
        help="write the requirements' matrix.csv and validation.pdf there",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "requirement(*numbers): the requirements that this test shows to hold"
    )
    folder = config.getoption("--validation-dir")
    if folder is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Matrix(folder, known_requirements(config.rootpath)))


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


@dataclass
class Matrix:
    """Collects outcomes as tests report them, and writes the pack when the run ends."""

    folder: Path
    known: dict[str, str]
    outcomes: dict[str, str] = field(default_factory=dict)
    requirements: dict[str, list[str]] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        numbers = [str(value) for name, value in report.user_properties if name == _PROPERTY]
        if not numbers:
            return
        self.requirements[report.nodeid] = numbers
        seen = self.outcomes.get(report.nodeid, "passed")
        self.outcomes[report.nodeid] = max(seen, outcome_of(report), key=_WORSE.index)

    def rows(self) -> list[Row]:
        """The matrix, ordered by requirement and test."""
        return sorted(
            Row(number, test, self.outcomes[test])
            for test, numbers in self.requirements.items()
            for number in numbers
        )

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = self.rows()
        with (self.folder / "matrix.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["requirement", "test", "outcome"])
            writer.writerows((row.requirement, row.test, row.outcome) for row in rows)
        from tests.support.validation import write_report

        write_report(self.folder / "validation.pdf", rows, self.known)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_line(
            f"validation: {len({row.requirement for row in self.rows()})} requirements shown by"
            f" {len(self.outcomes)} tests, written to {self.folder}"
        )


def outcome_of(report: pytest.TestReport) -> str:
    """pytest's outcome of one phase; what fails outside the test itself is an error."""
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed and report.when != "call":
        return "error"
    return report.outcome
