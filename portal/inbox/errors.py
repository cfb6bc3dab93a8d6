"""What can be wrong with something received. Pure, so that a module's interfaces may raise it."""

from __future__ import annotations


class NotUnderstood(ValueError):  # noqa: N818 - named for what it says, not for its kind
    """For a handler's ``check``: the message cannot be understood.

    The reason is shown to operators and stays when the content is gone, so it must not quote the
    content. ``keep`` is what may be kept of it, stripped of the patient, so that an operator can
    correct it; without it an HL7 message is kept as its bare header.
    """

    def __init__(self, reason: str, *, keep: bytes = b"") -> None:
        super().__init__(reason)
        self.keep = keep


class IdentityReused(ValueError):  # noqa: N818
    """Something with this identity was received before, with other content: ``message_id``."""

    def __init__(self, message_id: int) -> None:
        super().__init__(f"message {message_id} has this identity and other content")
        self.message_id = message_id


class ContentGone(ValueError):  # noqa: N818
    """The content was removed after its time, or no key that is here opens it."""
