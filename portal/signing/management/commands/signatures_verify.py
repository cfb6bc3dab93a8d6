"""Verify every electronic signature. Exit status 0: sound; 1: not, each signature and row named."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from portal.signing.services import verify_all


class Command(BaseCommand):
    help = "Verify every electronic signature against live rows (exit status 0 sound, 1 not)."

    def handle(self, *_: Any, **__: Any) -> None:
        outcome = verify_all()
        for fault in outcome.faults:
            self.stderr.write(fault)
        if outcome.faults:
            self.stderr.write(f"NOT SOUND: {len(outcome.faults)} faults")
            sys.exit(1)
        self.stdout.write(f"sound: {outcome.signatures} signatures")
