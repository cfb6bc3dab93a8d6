"""Which module takes which received message or file."""

from __future__ import annotations

from django.utils.module_loading import import_string

from portal.inbox.hl7 import Header
from portal.registry import InboxHandler, registry

HL7 = "hl7"
"""The channel of what the HL7 listener receives."""


def kind_of(header: Header) -> str:
    """The kind of an HL7 message, as handlers name it: ``ORM^O01``."""
    return "^".join(filter(None, (header.message_type, header.trigger)))


def find_handler(channel: str, kind: str) -> InboxHandler | None:
    """The first handler of ``channel`` that takes ``kind``; None when nobody does."""
    return next(
        (h for h in registry.inbox_handlers(channel) if not h.kinds or kind in h.kinds), None
    )


def check(handler: InboxHandler, raw: bytes) -> bytes:
    """What may be kept of ``raw``. ValueError when the handler cannot understand it."""
    return import_string(handler.check)(raw)


def channels() -> list[str]:
    """Every channel that an installed module takes messages or files from."""
    return sorted({h.channel for module in registry.modules() for h in module.inbox_handlers})
