"""The validation pack (OP-007): requirement ↔ test ↔ result, IQ and OQ on sealed paper.

A real run of pytest with two workers over a few tests, in a folder of its own.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from portal.documents.sealing import SealState, verify_seal
from portal.operations.installation import Installed, Locked, look_up, read_lock
from tests.support.services import ROOT

TESTS = """
import pytest

@pytest.mark.requirement("TS-001", "TS-002")
def test_passes(): pass

@pytest.mark.requirement("TS-001")
@pytest.mark.parametrize("n", [1, 2])
def test_fails_once(n): assert n == 1

@pytest.mark.requirement("PT-011")
def test_is_left_out(): pytest.skip("no")

@pytest.mark.requirement("PT-013")
@pytest.mark.xfail
def test_is_known_to_fail(): assert 0

def test_names_none(): pass
"""
REQUIREMENTS = """requirement,title
PT-011,left out
PT-012,"shown, by nothing"
PT-013,known to fail
TS-001,fails once
TS-002,holds
"""


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that such a run leaves."""
    folder = tmp_path_factory.mktemp("validation")
    (folder / "docs").mkdir()
    (folder / "docs" / "requirements.csv").write_text(REQUIREMENTS)
    (folder / "pytest.ini").write_text(
        "[pytest]\naddopts = -p no:django -p no:tests.support.services"
        " -p tests.support.requirements\n"
    )
    (folder / "test_it.py").write_text(TESTS)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "PORTAL_KEYS"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "--validation-dir=out", "--junitxml=out/r.xml"],
        cwd=folder, env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "4 requirements shown by 5 tests, 1 by none" in done.stdout
    return folder / "out"


def rows(path: Path) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row) for row in csv.reader(file)]


@pytest.mark.requirement("OP-007")
def test_the_matrix_names_each_requirement_with_each_of_its_tests(pack: Path) -> None:
    assert rows(pack / "matrix.csv") == [
        ("requirement", "test", "outcome"),
        ("PT-011", "test_it.py::test_is_left_out", "skipped"),
        ("PT-013", "test_it.py::test_is_known_to_fail", "xfailed"),
        ("TS-001", "test_it.py::test_fails_once[1]", "passed"),
        ("TS-001", "test_it.py::test_fails_once[2]", "failed"),
        ("TS-001", "test_it.py::test_passes", "passed"),
        ("TS-002", "test_it.py::test_passes", "passed"),
    ]


@pytest.mark.requirement("OP-007")
def test_every_requirement_is_listed_with_its_tests_and_the_worst_outcome(pack: Path) -> None:
    assert rows(pack / "coverage.csv") == [
        ("requirement", "title", "tests", "outcome"),
        ("PT-011", "left out", "1", "skipped"),
        ("PT-012", "shown, by nothing", "0", "untested"),
        ("PT-013", "known to fail", "1", "xfailed"),
        ("TS-001", "fails once", "3", "failed"),
        ("TS-002", "holds", "1", "passed"),
    ]
    assert 'tests="6"' in (pack / "r.xml").read_text()


@pytest.mark.requirement("OP-007")
def test_the_report_is_sealed_and_a_changed_byte_shows(pack: Path) -> None:
    pdf = (pack / "validation.pdf").read_bytes()
    certificate = x509.load_pem_x509_certificate((pack / "seal.pem").read_bytes())
    assert verify_seal(pdf, certificate) is SealState.INTACT
    middle = len(pdf) // 2
    changed = pdf[:middle] + bytes([pdf[middle] ^ 1]) + pdf[middle + 1 :]
    assert verify_seal(changed, certificate) is SealState.MODIFIED


# --- the IQ's facts ------------------------------------------------------------------------------


@pytest.mark.requirement("OP-007", "OP-008")
def test_a_lock_file_says_what_must_be_installed_on_this_machine() -> None:
    lock = (
        "# a head\nalpha==1.2 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via beta\n"
        "beta[extra]==3 ; sys_platform == 'no-such' \\\n    --hash=sha256:cc\n"
        "gamma==4 ; python_version >= '3' \\\n    --hash=sha256:dd\n"
    )
    assert read_lock(lock) == [Locked("alpha", "1.2", 2), Locked("gamma", "4", 1)]
    everything = read_lock((ROOT / "requirements" / "production.txt").read_text())
    assert {"Django", "django"} & {each.name for each in everything}


@pytest.mark.parametrize("line", ["alpha>=1 \\\n    --hash=sha256:aa\n", "", "# nothing\n"])
def test_a_lock_that_locks_nothing_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="lock"):
        read_lock(line)


@pytest.mark.requirement("OP-007")
def test_another_version_a_missing_one_and_a_changed_file_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "alpha-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: alpha\nVersion: 1.0\n")
    (tmp_path / "alpha.py").write_text("")
    empty = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"  # SHA-256 of nothing
    (info / "RECORD").write_text(
        f"alpha.py,sha256={empty},0\ngone.py,sha256={empty},0\nalpha-1.0.dist-info/RECORD,,\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    def found(version: str, name: str = "alpha") -> Installed:
        (only,) = look_up([Locked(name, version, 1)])
        return only

    assert found("1.0").damaged == ("gone.py: missing",)
    (tmp_path / "gone.py").write_text("")
    assert found("1.0").ok
    assert found("1.0").files == 2
    assert not found("1.1").ok
    (tmp_path / "alpha.py").write_text("import os")
    assert found("1.0").damaged == ("alpha.py: changed",)
    assert found("1", "no-such-distribution").installed == ""
    assert not found("1", "no-such-distribution").ok
