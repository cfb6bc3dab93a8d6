"""MLLP framing: every message once, whole, in order; nothing unbounded kept."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.inbox.mllp import END, HEAD_BYTES, START, Broken, Framer, Oversize, frame

messages = st.binary(max_size=60).filter(lambda m: START not in m and END not in m)


def _cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    return [stream[a:b] for a, b in pairwise(places)]


@pytest.mark.requirement("TS-020")
@given(st.lists(messages, max_size=5), st.lists(st.integers(0, 400), max_size=12))
def test_messages_come_out_as_they_went_in_however_the_stream_is_cut(sent, cuts):
    framer = Framer(max_bytes=60)
    stream = b"".join(frame(message) for message in sent)
    received = [found for piece in _cut(stream, cuts) for found in framer.feed(piece)]
    assert received == sent
    assert not framer.mid_frame


@given(
    st.lists(st.tuples(st.binary(max_size=300), st.booleans()), max_size=6),
    st.lists(st.integers(0, 2000), max_size=12),
)
def test_any_bytes_give_the_same_outcomes_whole_or_in_pieces(parts, cuts):
    stream = b"".join(START + part + (END if ended else b"") for part, ended in parts)
    whole = Framer(max_bytes=100).feed(stream)
    framer = Framer(max_bytes=100)
    assert [found for piece in _cut(stream, cuts) for found in framer.feed(piece)] == whole


def test_bytes_between_frames_are_ignored():
    assert Framer(100).feed(b"\r\nhello" + frame(b"MSH") + b"\x1c\rjunk" + frame(b"two")) == [
        b"MSH",
        b"two",
    ]


def test_a_frame_begun_waits_for_its_end():
    framer = Framer(100)
    assert framer.feed(START + b"MSH|") == []
    assert framer.mid_frame
    assert framer.feed(b"rest\x1c") == []
    assert framer.feed(b"\r") == [b"MSH|rest"]


def test_a_file_separator_without_carriage_return_is_part_of_the_message():
    assert Framer(100).feed(START + b"a\x1cb" + END) == [b"a\x1cb"]


@pytest.mark.requirement("TS-021")
def test_an_oversize_message_is_told_at_its_end_and_the_next_one_is_taken():
    framer = Framer(max_bytes=10)
    assert framer.feed(START + b"x" * 11) == []
    assert framer.feed(b"x" * 50_000) == []
    oversize, after = framer.feed(b"\x1c") + framer.feed(b"\r" + frame(b"next"))
    assert isinstance(oversize, Oversize)
    assert oversize.size == 50_011
    assert oversize.head == b"x" * HEAD_BYTES
    assert after == b"next"


def test_a_message_of_exactly_the_greatest_length_is_taken():
    assert Framer(10).feed(frame(b"x" * 10)) == [b"x" * 10]
    (outcome,) = Framer(10).feed(frame(b"x" * 11))
    assert isinstance(outcome, Oversize)
    assert outcome.size == 11


def test_the_memory_used_for_an_endless_message_is_bounded():
    framer = Framer(max_bytes=1000)
    framer.feed(START)
    for _ in range(200):
        framer.feed(b"y" * 1000)
        assert len(framer._pending) <= 1001
    (outcome,) = framer.feed(END)
    assert outcome.size == 200_000
    assert len(outcome.head) <= HEAD_BYTES


@pytest.mark.requirement("TS-022")
def test_an_oversize_message_does_not_show_its_content_when_printed():
    (outcome,) = Framer(10).feed(frame(b"PID|||Jensen^Ole"))
    assert "Jensen" not in repr(outcome)


def test_a_new_beginning_inside_a_frame_gives_up_the_old_one():
    framer = Framer(100)
    assert framer.feed(START + b"half" + frame(b"whole")) == [Broken(4), b"whole"]


def test_an_empty_frame_is_an_empty_message():
    assert Framer(100).feed(START + END) == [b""]


@pytest.mark.parametrize("message", [b"a" + START, b"a" + END + b"b"])
def test_a_message_that_holds_the_marks_of_a_frame_cannot_be_framed(message):
    with pytest.raises(ValueError, match="cannot be framed"):
        frame(message)


def test_a_framer_that_takes_nothing_is_refused():
    with pytest.raises(ValueError, match="max_bytes"):
        Framer(0)
