"""Verify audit trail and access log. Exit status 0: sound; 1: not, each row named."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from portal.audit.anchors import write_anchors
from portal.audit.chain import CHAINS
from portal.audit.verification import entry_count, verify_all
from portal.records.context import ServiceActor, acting


class Command(BaseCommand):
    help = "Verify the hash chains of audit trail and access log (exit status 0 sound, 1 not)."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--since-last",
            action="store_true",
            help="only what was added since the last sound verification",
        )
        parser.add_argument(
            "--anchor", action="store_true", help="append the signed heads to the anchor file"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        faults = verify_all(whole=not options["since_last"])
        for fault in faults:
            self.stderr.write(str(fault))
        if faults:
            self.stderr.write(f"NOT SOUND: {len(faults)} faults")
            sys.exit(1)
        counts = ", ".join(f"{chain} {entry_count(chain)} entries" for chain in CHAINS)
        self.stdout.write(f"sound: {counts}")
        if options["anchor"]:
            with acting(actor=ServiceActor("audit_verify")):
                self.stdout.write(f"{write_anchors()} heads anchored")
