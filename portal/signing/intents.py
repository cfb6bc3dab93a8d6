"""What a passkey is asked to sign: the things to be signed as the signer sees them. Pure.

The challenge is the SHA-256 of an `Intent`: who signs, where, when they were asked, a nonce, and of
each thing to be signed its meaning and the digest of its facts. So the authenticator's signature is
over what the signer sees. What comes into being only with the act (the new row's number, its time)
cannot be signed before: the intent names what it leaves out (docs/adr/0008).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from portal.signing.canonical import canonical, digest, plain

OBJECT_ID = "object.id"


@dataclass(frozen=True)
class Seen:
    """One thing to be signed, as the signer sees it.

    ``digest`` is the SHA-256 of the signed document without what ``left_out`` names, such as
    ``facts.released_at``; ``object_id`` is "" where that is left out too.
    """

    signable: str
    object_type: str
    object_id: str
    meaning: str
    digest: str
    left_out: tuple[str, ...] = ()


def seen(document: Mapping[str, Any], meaning: str, left_out: Sequence[str]) -> Seen:
    """How a signed document (see `payloads`) stands in an intent.

    KeyError where it has no such thing to leave out.
    """
    parts = plain(document)
    for path in left_out:
        part, _, name = path.partition(".")
        del parts[part][name]
    return Seen(
        signable=parts["signable"],
        object_type=parts["object"]["type"],
        object_id=parts["object"].get("id", ""),
        meaning=meaning,
        digest=digest(canonical(parts)),
        left_out=tuple(left_out),
    )


@dataclass(frozen=True)
class Intent:
    """What a person's passkey is asked to sign: its hash is the challenge."""

    nonce: str
    asked_at: dt.datetime
    signer_id: str
    printed_name: str
    rp_id: str
    origin: str
    documents: tuple[Seen, ...]

    def as_json(self) -> dict[str, Any]:
        """JSON's own types; `canonical` of it is what is hashed."""
        return plain({"type": "portal.signature.intent.v1", **asdict(self)})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Intent:
        """The intent that `as_json` wrote. ValueError, TypeError or KeyError for anything else."""
        values = {name: data[name] for name in cls.__annotations__}
        values["asked_at"] = dt.datetime.fromisoformat(values["asked_at"])
        values["documents"] = tuple(
            Seen(**{**each, "left_out": tuple(each["left_out"])}) for each in values["documents"]
        )
        return cls(**values)

    def challenge(self) -> bytes:
        """SHA-256 of the canonical JSON."""
        return hashlib.sha256(canonical(self.as_json())).digest()


def covers(
    intent: Intent, signer_id: str, printed_name: str, meaning: str, document: Mapping[str, Any]
) -> bool:
    """Whether the intent is this person's and has the document among what they see."""
    if (intent.signer_id, intent.printed_name) != (signer_id, printed_name):
        return False
    return any(_is_seen(each, meaning, document) for each in intent.documents)


def _is_seen(one: Seen, meaning: str, document: Mapping[str, Any]) -> bool:
    try:
        return seen(document, meaning, one.left_out) == one
    except (KeyError, TypeError):
        return False
