"""The content of a message as text that a person can read and correct, and back. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from portal.inbox.hl7 import UnreadableHeader, codec_of, read_header

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class ContentText:
    """The text with ``\\n`` between its lines, and what it takes to write it as it was."""

    text: str
    codec: str
    line_end: str

    def encode(self, text: str) -> bytes:
        """``text`` (however a browser ends its lines) in the encoding and with the line ends of
        the original. ValueError for a character that the encoding does not have."""
        return _LINE_END.sub(self.line_end, text).encode(self.codec)


def content_text(raw: bytes) -> ContentText | None:
    """None for content that is no text, such as a workbook."""
    if b"\0" in raw:
        return None
    codec = _codec(raw)
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError:  # it says one thing and is another; every byte is a Latin-1 letter
        codec = "latin-1"
        text = raw.decode(codec)
    ends = _LINE_END.findall(text)
    line_end = max(set(ends), key=ends.count) if ends else "\n"
    return ContentText(_LINE_END.sub("\n", text), codec, line_end)


def _codec(raw: bytes) -> str:
    try:
        return codec_of(read_header(raw).charset) or "latin-1"
    except UnreadableHeader:
        return "utf-8"
