"""The validation pack's report: every requirement, the tests that show it, and how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import portal

if TYPE_CHECKING:
    from tests.support.requirements import Row

_TEMPLATE = Path(__file__).with_name("validation.typ")
_LABELS = {
    "version": "Version",
    "issued_at": "issued",
    "page": "Page",
    "of": "of",
    "verify_at": "The matrix is in",
    "data_sha256": "SHA-256 of the data",
}


def write_report(path: Path, rows: Sequence[Row], known: dict[str, str]) -> None:
    """Write the PDF; `known` holds the title of every requirement there is."""
    from portal.documents.rendering import render_pdf

    issued_at = datetime.now(UTC)
    path.write_bytes(render_pdf(_TEMPLATE, report_data(rows, known, issued_at)))


def report_data(rows: Sequence[Row], known: dict[str, str], issued_at: datetime) -> dict[str, Any]:
    """What the report says: also the requirements that no test names."""
    by_number: dict[str, list[Row]] = {number: [] for number in known}
    for row in rows:
        by_number.setdefault(row.requirement, []).append(row)
    troubled = {row.requirement for row in rows if row.outcome not in {"passed", "xfailed"}}
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
        "counts": {
            "known": len(by_number),
            "shown": sum(bool(shown) for shown in by_number.values()),
            "troubled": len(troubled),
            "tests": len({row.test for row in rows}),
        },
        "requirements": [
            {
                "number": number,
                "title": known.get(number, ""),
                "tests": [{"name": row.test, "outcome": row.outcome} for row in shown],
            }
            for number, shown in sorted(by_number.items())
        ],
    }
