"""What is signed: the facts a module states of an object, bound to that object.

The signed document is ``{"signable": …, "object": {"type": …, "id": …}, "facts": …}``: the facts
alone could be moved, by raw SQL, to another object that has the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model
from django.utils.module_loading import import_string

from portal.registry import registry
from portal.signing.intents import OBJECT_ID

P = TypeVar("P", bound=Callable[..., dict[str, Any]])


class NotSignable(LookupError):  # noqa: N818
    """No installed module declares this signable (any more)."""


def reads(*lookups: str) -> Callable[[P], P]:
    """Name the relations that a payload function follows, as ``prefetch_related`` takes them.

    Then verifying many signatures takes the same number of queries as verifying one.
    """

    def mark(payload: P) -> P:
        payload.reads = lookups  # type: ignore[attr-defined]
        return payload

    return mark


def made_by_act(*facts: str) -> Callable[[P], P]:
    """Name the facts that come into being only with the act, such as a new row's number and time.

    A passkey signs before the act, so it cannot sign these, nor the number of the object itself:
    the server's counter-signature alone vouches for them. Everything else must be as it was seen.
    """

    def mark(payload: P) -> P:
        left_out = (OBJECT_ID, *(f"facts.{name}" for name in facts))
        payload.made_by_act = left_out  # type: ignore[attr-defined]
        return payload

    return mark


def left_out_of(code: str) -> tuple[str, ...]:
    """What of a signed document is made by the act, as `intents.seen` takes it."""
    return getattr(payload_of(code), "made_by_act", ())


def payload_of(code: str) -> Callable[[Any], dict[str, Any]]:
    """The declared function that states the facts. ``NotSignable`` where nobody declares one."""
    signable = registry.signable(code)
    if signable is None:
        raise NotSignable(f"{code} is not declared by any installed module")
    return import_string(signable.payload)


def object_key(obj: Model) -> tuple[str, str]:
    """``("tracershop.release", "1042")``: how a signature names its object."""
    return obj._meta.label_lower, str(obj.pk)  # noqa: SLF001


def signed_document(code: str, obj: Model) -> dict[str, Any]:
    """The document to sign for ``obj``. ``NotSignable`` as `payload_of`."""
    kind, key = object_key(obj)
    return {
        "signable": code,
        "object": {"type": kind, "id": key},
        "facts": payload_of(code)(obj),
    }
