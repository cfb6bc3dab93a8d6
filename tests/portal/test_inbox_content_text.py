"""Content as text for a person, and back as the sender would have written it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.inbox.content_text import content_text


@pytest.mark.parametrize(
    ("raw", "codec", "text"),
    [
        ("MSH|^~\\&|A|B|C|D|1||ORM^O01|1|P|2.3.1\rZTS|å\r".encode("latin-1"), "iso8859-1", "å"),
        ("MSH|^~\\&|A|B|C|D|1||ORM^O01|1|P|2.5||||||UNICODE UTF-8\rZTS|å\r".encode(), "utf-8", "å"),
        ("customer  : København\r\n".encode("latin-1"), "latin-1", "København"),
        ("Customer;København\n".encode(), "utf-8", "København"),
    ],
)
def test_the_encoding_is_the_one_that_was_written(raw: bytes, codec: str, text: str) -> None:
    found = content_text(raw)
    assert found is not None
    assert text in found.text
    assert found.codec == codec
    assert found.encode(found.text) == raw


@pytest.mark.parametrize("line_end", ["\r", "\n", "\r\n"])
def test_what_a_browser_sends_back_gets_the_line_ends_of_the_original(line_end: str) -> None:
    found = content_text(line_end.join(["MSH", "ORC", ""]).encode())
    assert found is not None
    assert found.text == "MSH\nORC\n"
    assert found.encode("MSH\r\nOBR\r\n") == line_end.join(["MSH", "OBR", ""]).encode()


def test_a_workbook_is_no_text() -> None:
    assert content_text(b"PK\x03\x04\x14\x00\x06\x00") is None


def test_a_character_that_the_original_could_not_have_is_refused() -> None:
    found = content_text("å".encode("latin-1"))
    assert found is not None
    with pytest.raises(UnicodeEncodeError):
        found.encode("→")


@given(st.binary(max_size=200).filter(lambda raw: b"\0" not in raw))
def test_any_bytes_can_be_shown_and_those_with_one_kind_of_line_end_come_back_whole(
    raw: bytes,
) -> None:
    found = content_text(raw)
    assert found is not None
    if b"\r" not in raw:
        assert found.encode(found.text) == raw
