"""The validation pack's report: what is installed (IQ), and how the tests ended (OQ).

The IQ is what `manage.py installation --json` says, in a process of its own: it starts the portal
as a server would, and says which distributions are those of the lock, file by file.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding

import portal

if TYPE_CHECKING:
    from tests.support.requirements import Matrix

ROOT = Path(__file__).resolve().parents[2]
_TEMPLATE = Path(__file__).with_name("validation.typ")
_WELL = {"passed", "xfailed"}
_LABELS = {
    "version": "Version",
    "issued_at": "issued",
    "page": "Page",
    "of": "of",
    "verify_at": "The matrix is in",
    "data_sha256": "SHA-256 of the data",
}


def write_report(matrix: Matrix) -> None:
    """Write `validation.pdf`, sealed, and the seal's certificate beside it."""
    from portal import serverkeys
    from portal.documents.rendering import render_pdf
    from portal.documents.sealing import seal_pdf

    serverkeys.create_missing(matrix.keys)
    credentials = serverkeys.load_sealing(matrix.keys)
    data = report_data(matrix, installation(), datetime.now(UTC))
    sealed = seal_pdf(
        render_pdf(_TEMPLATE, data),
        credentials,
        reason="Validation report",
        location=platform.node(),
        name="Hospital Portal",
    )
    (matrix.folder / "validation.pdf").write_bytes(sealed)
    certificate = credentials.certificate.public_bytes(Encoding.PEM)
    (matrix.folder / "seal.pem").write_bytes(certificate)


def installation() -> dict[str, Any]:
    """The facts of the IQ. RuntimeError with what it said where the portal does not even start."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "installation", "--json"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "portal.config.settings.test"},
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"manage.py installation: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def report_data(matrix: Matrix, iq: dict[str, Any], issued_at: datetime) -> dict[str, Any]:
    """What the report says: the failures first, then what no test names, then everything."""
    coverage, rows = matrix.coverage(), matrix.rows()
    tests: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        tests.setdefault(row.requirement, []).append({"name": row.test, "outcome": row.outcome})
    written = (matrix.folder / "matrix.csv").read_bytes()
    return {
        "document": {
            "organisation": "Hospital Portal",
            "title": "Validation report",
            "number": "",
            "version": portal.__version__,
            "issued_at": issued_at.isoformat(),
            "issued_at_text": f"{issued_at:%Y-%m-%d %H:%M} UTC",
            "verify_url": "matrix.csv",
            "lang": "en",
        },
        "labels": _LABELS,
        "run": {
            "by": f"{getpass.getuser()} on {platform.node()}",
            "outcomes": [[name, count] for name, count in sorted(matrix.run.items())],
            "matrix_sha256": hashlib.sha256(written).hexdigest(),
        },
        "iq": iq,
        "counts": {
            "known": len(coverage),
            "shown": sum(bool(line.tests) for line in coverage),
            "troubled": sum(line.outcome not in _WELL and bool(line.tests) for line in coverage),
            "tests": len(matrix.outcomes),
        },
        "troubles": [
            {"number": row.requirement, "name": row.test, "outcome": row.outcome}
            for row in rows
            if row.outcome not in _WELL
        ],
        "untested": [
            {"number": line.requirement, "title": line.title} for line in coverage if not line.tests
        ],
        "requirements": [
            {
                "number": line.requirement,
                "title": line.title,
                "outcome": line.outcome,
                "tests": tests[line.requirement],
            }
            for line in coverage
            if line.tests
        ],
    }
