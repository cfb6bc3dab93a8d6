"""What a benchmark reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One row of docs/benchmarks.md. `target` is empty where a number is only for the record."""

    name: str
    number: float
    unit: str
    target: str = ""
    compared_with: str = ""
