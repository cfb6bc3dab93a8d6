"""The requirements' plugin: strict marks, and one row a requirement and test, also with xdist."""

import csv
from pathlib import Path

import pytest

from tests.support.services import ROOT

pytest_plugins = ["pytester"]

TESTS = """
import pytest

@pytest.mark.requirement("TS-001", "TS-002")
def test_passes(): pass

@pytest.mark.requirement("TS-001")
@pytest.mark.parametrize("n", [1, 2])
def test_fails_once(n): assert n == 1

@pytest.fixture
def broken():
    yield
    raise RuntimeError

@pytest.mark.requirement("PT-010")
def test_has_an_error_afterwards(broken): pass

@pytest.mark.requirement("PT-011")
def test_skips(): pytest.skip("no")

def test_names_none(): pass
"""


@pytest.fixture
def house(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeini("[pytest]\naddopts = -p no:django -p no:tests.support.services")
    return pytester


def run(house: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return house.runpytest_subprocess("-p", "tests.support.requirements", *arguments)


@pytest.mark.requirement("OP-001")
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_the_matrix_has_a_row_for_each_requirement_and_test(
    house: pytest.Pytester, workers: tuple[str, ...]
):
    house.makepyfile(test_it=TESTS)
    house.mkdir("docs").joinpath("requirements.csv").write_text(
        "requirement,title\nTS-001,A\nTS-002,B\nPT-010,C\nPT-011,D\nPT-012,not shown\n"
    )
    run(house, "--validation-dir=out", *workers)
    with Path(house.path, "out", "matrix.csv").open() as file:
        rows = [tuple(row) for row in csv.reader(file)]
    assert rows == [
        ("requirement", "test", "outcome"),
        ("PT-010", "test_it.py::test_has_an_error_afterwards", "error"),
        ("PT-011", "test_it.py::test_skips", "skipped"),
        ("TS-001", "test_it.py::test_fails_once[1]", "passed"),
        ("TS-001", "test_it.py::test_fails_once[2]", "failed"),
        ("TS-001", "test_it.py::test_passes", "passed"),
        ("TS-002", "test_it.py::test_passes", "passed"),
    ]
    assert Path(house.path, "out", "validation.pdf").read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("mark", "complaint"),
    [
        ("requirement()", "write @pytest.mark.requirement"),
        ("requirement('TS-24')", "'TS-24' is no requirement's number"),
        ("requirement(24)", "24 is no requirement's number"),
        ("requirement('TS-999')", "TS-999 is not in docs/requirements.csv"),
    ],
)
def test_a_wrong_mark_stops_the_run(house: pytest.Pytester, mark: str, complaint: str):
    house.makepyfile(f"import pytest\n@pytest.mark.{mark}\ndef test_it(): pass")
    house.mkdir("docs").joinpath("requirements.csv").write_text("requirement,title\nTS-001,A\n")
    result = run(house)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{complaint}*"])


def test_browser_tests_left_out_are_counted_at_the_end(
    house: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    house.makepyfile(
        "import pytest\n@pytest.mark.browser\ndef test_a(): assert 0\n"
        "@pytest.mark.browser\ndef test_b(): assert 0\ndef test_c(): pass"
    )
    empty = house.mkdir("empty")
    monkeypatch.delenv("PORTAL_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(empty))
    result = run(house, "-p", "tests.support.browsers")
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines(["2 browser tests were left out*apt-get install chromium*"])


def test_a_named_browser_that_is_not_there_stops_the_run(
    house: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    house.makepyfile("import pytest\n@pytest.mark.browser\ndef test_a(): pass")
    monkeypatch.setenv("PORTAL_CHROMIUM", "no-such-chrome")
    result = run(house, "-p", "tests.support.browsers")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*PORTAL_CHROMIUM names no-such-chrome*"])
