"""Settings of the logs that would break what they promise are found before the portal starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

LEAST_YEARS = 5
"""NEN 7513: access logs are kept for five years at least."""


@register()
def log_settings(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    years = settings.PORTAL_ACCESS_LOG_KEEP_YEARS
    if years != 0 and years < LEAST_YEARS:
        found.append(
            Error(
                f"PORTAL_ACCESS_LOG_KEEP_YEARS is {years}.",
                hint=f"0 (for ever), or {LEAST_YEARS} and more: NEN 7513.",
                id="audit.E001",
            )
        )
    copy = settings.PORTAL_ANCHOR_COPY
    if copy and Path(copy).resolve() == Path(settings.PORTAL_ANCHOR_FILE).resolve():
        found.append(
            Error(
                "PORTAL_ANCHOR_COPY is PORTAL_ANCHOR_FILE itself.",
                hint="Name another file, best on another machine's disk, or a syslog.",
                id="audit.E002",
            )
        )
    if settings.PORTAL_TRAIL_REVIEW_DAYS < 0:
        found.append(
            Error("PORTAL_TRAIL_REVIEW_DAYS is negative.", hint="0: no reminder.", id="audit.E003")
        )
    return found
