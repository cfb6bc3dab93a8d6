"""The head of an HL7 message and its acknowledgement."""

from __future__ import annotations

from datetime import UTC, datetime

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.inbox.hl7 import (
    MAX_CONTROL_ID,
    AckCode,
    Header,
    UnreadableHeader,
    ack,
    codec_of,
    read_header,
)

NOW = datetime(2026, 11, 21, 8, 15, 30, 123456, tzinfo=UTC)
MSH = (
    b"MSH|^~\\&|Sectra|RIS|Portal|PET|20261121081530||ORM^O01^ORM_O01|4711-A|P|2.3.1"
    b"||||||8859/1~UNICODE UTF-8"
)
RAW = MSH + b"\rPID|||010203-1234||J\xf8rgensen^Ole\rORC|NW\r"


@pytest.mark.requirement("TS-020", "TS-021")
def test_the_header_is_read_from_the_first_segment():
    assert read_header(RAW) == Header(
        sending_application="Sectra",
        sending_facility="RIS",
        receiving_application="Portal",
        receiving_facility="PET",
        message_type="ORM",
        trigger="O01",
        control_id="4711-A",
        processing_id="P",
        version="2.3.1",
        charset="8859/1",
        separators="|^~\\&",
    )


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b""])
def test_any_end_of_segment_ends_the_header(end):
    assert read_header(MSH + end).charset == "8859/1"


def test_a_mark_or_blank_lines_before_the_header_are_passed_over():
    assert read_header(b"\xef\xbb\xbf\r\n" + RAW) == read_header(RAW)


def test_the_separators_of_the_sender_are_used():
    header = read_header(b"MSH$%@!+$App$$$$$$SIU%S12$id%1$P$2.5\rPID$x\r")
    assert (header.message_type, header.trigger, header.control_id) == ("SIU", "S12", "id%1")
    assert header.separators == "$%@!+"


def test_a_truncation_character_is_allowed():
    assert read_header(MSH.replace(b"^~\\&", b"^~\\&#", 1)).separators == "|^~\\&#"


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b"", "MSH"),
        (b"PID|||1\rMSH|^~\\&|", "MSH"),
        (b"msh|^~\\&|a||||||ORM^O01|1|P|2.3.1", "MSH"),
        (b"BHS|^~\\&|a", "MSH"),
        (b"MSH", "MSH-2"),
        (b"MSH|", "MSH-2"),
        (b"MSH|^~\\|a||||||ORM^O01|1|P|2.3.1", "MSH-2"),
        (b"MSH|^^\\&|a||||||ORM^O01|1|P|2.3.1", "MSH-2"),
        (b"MSHabcdea", "MSH-2"),
        (b"MSH|^~\\&|a||||||||P|2.3.1", "MSH-9"),
        (b"MSH|^~\\&|a||||||ORM^O01||P|2.3.1", "MSH-10"),
        (b"MSH|^~\\&|a||||||ORM^O01| |P|2.3.1", "MSH-10"),
        (b"MSH|^~\\&|a||||||ORM^O01|" + b"9" * (MAX_CONTROL_ID + 1), "MSH-10"),
        (b"MSH|^~\\&|a||||||ORM^O01|1\x00|P|2.3.1", "MSH"),
        (b"MSH|^~\\&|" + b"a" * 5000, "MSH"),
    ],
)
def test_a_header_that_cannot_be_answered_is_refused_with_its_place(raw, where):
    with pytest.raises(UnreadableHeader) as refused:
        read_header(raw)
    assert refused.value.where == where
    assert str(refused.value) == f"{where}: {refused.value.reason}"


@given(st.binary(max_size=200))
def test_any_bytes_give_a_header_or_the_one_error(raw):
    for message in (raw, b"MSH|^~\\&|" + raw):
        try:
            header = read_header(message)
        except UnreadableHeader:
            continue
        assert header.control_id.strip()
        assert header.message_type


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("", "æøå"),
        ("ASCII", "abc"),
        ("8859/1", "æøå"),
        ("8859/15", "æøå€"),
        ("8859-1", "æøå"),
        ("ISO-8859-1", "æøå"),
        ("UNICODE UTF-8", "æøå€漢"),
        ("unicode", "æøå€漢"),
    ],
)
@pytest.mark.requirement("TS-020")
def test_the_character_sets_of_msh_18_are_known(charset, text):
    codec = codec_of(charset)
    assert codec is not None
    assert text.encode(codec).decode(codec) == text


def test_the_euro_sign_tells_latin_9_from_latin_1():
    assert b"\xa4".decode(codec_of("8859/15")) == "€"
    assert b"\xa4".decode(codec_of("8859/1")) == "¤"


@pytest.mark.parametrize("charset", ["8859/12", "8859/99", "UNICODE UTF-16", "ISO IR87", "Klingon"])
def test_an_unknown_character_set_is_not_guessed(charset):
    assert codec_of(charset) is None


@pytest.mark.requirement("TS-021")
@pytest.mark.parametrize("code", list(AckCode))
def test_an_acknowledgement_goes_back_where_the_message_came_from(code):
    answer = hl7.parse(ack(read_header(RAW), code, "stored", NOW).decode("latin-1"))
    msh, msa = answer.segment("MSH"), answer.segment("MSA")
    assert [str(msh(n)) for n in (3, 4, 5, 6)] == ["Portal", "PET", "Sectra", "RIS"]
    assert str(msh(9)) == "ACK^O01^ACK"
    assert str(msh(10)) == "20261121081530123456"
    assert [str(msh(n)) for n in (11, 12)] == ["P", "2.3.1"]
    assert [str(msa(n)) for n in (1, 2, 3)] == [code.value, "4711-A", "stored"]


def test_an_acknowledgement_is_whole_when_nothing_could_be_read():
    answer = ack(None, "AE", "the message does not begin with MSH", NOW)
    parsed = hl7.parse(answer.decode("ascii"))
    assert str(parsed.segment("MSH")(9)) == "ACK"
    assert [str(parsed.segment("MSA")(n)) for n in (1, 2)] == ["AE", ""]
    assert read_header(answer).message_type == "ACK"


@pytest.mark.requirement("TS-022")
def test_an_acknowledgement_says_nothing_of_the_patient():
    answer = ack(read_header(RAW), "AA", "", NOW)
    assert b"010203" not in answer
    assert b"rgensen" not in answer


def test_the_text_of_an_acknowledgement_cannot_begin_a_field_or_segment():
    answer = ack(read_header(RAW), "AE", "a|b^c\rORC|NW\\&~ø" + "x" * 500, NOW)
    assert answer.count(b"\r") == 2
    text = answer.split(b"\r")[1].split(b"|")[3]
    assert text.startswith(b"a\\F\\b\\S\\c ORC\\F\\NW\\E\\\\T\\\\R\\ xxx")
    assert len(text) < 120


@given(
    control_id=st.text(
        st.characters(codec="latin-1", exclude_categories=["Cc"]), min_size=1, max_size=199
    ).filter(lambda text: text.strip() and "|" not in text),
    text=st.text(max_size=100),
)
def test_the_control_id_comes_back_byte_for_byte(control_id, text):
    sent = b"MSH|^~\\&|app||||||ORM^O01|" + control_id.encode("latin-1") + b"|P|2.3.1\r"
    answer = ack(read_header(sent), "AA", text, NOW)
    _msh, msa, rest = answer.split(b"\r")
    assert rest == b""
    assert msa.split(b"|")[2] == control_id.encode("latin-1")
    assert read_header(answer).message_type == "ACK"


def test_an_acknowledgement_speaks_with_the_separators_of_the_sender():
    sent = b"MSH$%@!+$App$$$$$$SIU%S12$id|1$P$2.5\r"
    assert b"MSA$AR$id|1$not taken: 5!F!\r" in ack(read_header(sent), "AR", "not taken: 5$", NOW)


def test_an_acknowledgement_needs_a_known_code_and_an_aware_time():
    with pytest.raises(ValueError, match="aware"):
        ack(None, "AA", "", NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="XX"):
        ack(None, "XX", "", NOW)
