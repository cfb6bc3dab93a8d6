"""MLLP framing (HL7 v2 Transport Specification: MLLP, release 1): `VT message FS CR`.

Pure: bytes in, messages out. The listener owns the socket, the clock and the database.
"""

from __future__ import annotations

from dataclasses import dataclass, field

START = b"\x0b"
END = b"\x1c\x0d"
HEAD_BYTES = 4096
"""How much of an oversize message is kept, so that its MSH can still be answered."""


@dataclass(frozen=True)
class Oversize:
    """A whole frame that was longer than is taken; its content is gone but for the beginning."""

    size: int
    head: bytes = field(repr=False)  # may hold a patient's name: never into a log


@dataclass(frozen=True)
class Broken:
    """A frame that was never ended: the sender began a new one after `size` bytes of it."""

    size: int


Outcome = bytes | Oversize | Broken


class Framer:
    """Cuts a stream of bytes into messages, with at most `max_bytes` of one message in memory.

    Bytes between frames are ignored. A frame begun and not ended waits for the next `feed`.
    """

    def __init__(self, max_bytes: int) -> None:
        if max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, not {max_bytes}")
        self._max_bytes = max_bytes
        self._pending = bytearray()
        self._in_frame = False
        self._forget_frame()

    def feed(self, data: bytes) -> list[Outcome]:
        """What the stream has completed with `data`, in order: messages, oversize, broken ones."""
        self._pending += data
        outcomes: list[Outcome] = []
        while self._in_frame or self._begin_frame():
            end = self._pending.find(END, self._searched)
            restart = self._pending.find(
                START, self._searched, end if end >= 0 else len(self._pending)
            )
            if restart >= 0:
                # VT cannot stand inside a message: the sender gave up and began again.
                outcomes.append(Broken(self._dropped + restart))
                del self._pending[:restart]
            elif end >= 0:
                outcomes.append(self._message(end))
                del self._pending[: end + len(END)]
            else:
                self._wait()
                break
            self._in_frame = False
            self._forget_frame()
        return outcomes

    @property
    def mid_frame(self) -> bool:
        """Whether a message has begun and not ended (a connection closed now loses it)."""
        return self._in_frame

    def _begin_frame(self) -> bool:
        start = self._pending.find(START)
        if start < 0:
            self._pending.clear()
            return False
        del self._pending[: start + 1]
        self._in_frame = True
        return True

    def _forget_frame(self) -> None:
        self._searched = 0  # bytes of `_pending` that hold no end of the frame
        self._dropped = 0  # bytes of the frame no longer in `_pending`
        self._head = b""

    def _message(self, end: int) -> bytes | Oversize:
        size = self._dropped + end
        if size <= self._max_bytes:
            return bytes(self._pending[:end])
        return Oversize(size, self._head or bytes(self._pending[: min(end, HEAD_BYTES)]))

    def _wait(self) -> None:
        # The last byte may be the first half of END, so it is kept and searched again.
        if self._dropped or len(self._pending) > self._max_bytes + 1:
            self._head = self._head or bytes(self._pending[:HEAD_BYTES])
            self._dropped += len(self._pending) - 1
            del self._pending[:-1]
        self._searched = max(0, len(self._pending) - 1)


def frame(message: bytes) -> bytes:
    """`message` framed for sending. ValueError when it holds what would end or begin a frame."""
    if START in message or END in message:
        raise ValueError("a message with VT or FS CR in it cannot be framed")
    return START + message + END
