"""`manage.py hl7_listener`: takes HL7 v2 messages over MLLP until SIGTERM or Ctrl-C."""

from __future__ import annotations

import signal
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.inbox.hl7_listener import Listener
from portal.serverkeys import ServerKeyError, load_inbox


class Command(BaseCommand):
    help = "Take HL7 v2 messages over MLLP: keep each, then acknowledge it."
    requires_system_checks: list[str] = []  # a page that does not load must not stop the listener

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=settings.PORTAL_HL7_HOST)
        parser.add_argument("--port", type=int, default=settings.PORTAL_HL7_PORT)

    def handle(self, *, host: str, port: int, **_: Any) -> None:
        try:
            load_inbox()  # without it nothing could be kept: say so now, not to each sender
            listener = Listener(host, port)
        except ServerKeyError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"Cannot listen on {host} port {port}: {error.strerror}") from error

        def stop(_signal: int, _frame: FrameType | None) -> None:
            listener.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        self.stdout.write(f"HL7 listener on {host} port {listener.port}")
        self.stdout.flush()
        listener.serve()
