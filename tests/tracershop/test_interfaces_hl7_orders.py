"""Bookings out of HL7: what counts is read, the patient is never seen, the rest is refused."""

from __future__ import annotations

import contextlib
import logging
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.interfaces.errors import FormatError, Reason
from tracershop.interfaces.hl7_orders import (
    TAKEN,
    BookingAct,
    BookingMessage,
    parse_order_message,
    without_patient,
)

from portal.inbox.hl7 import read_header

CPH = ZoneInfo("Europe/Copenhagen")
PATIENT = "PID|||010203-1234^^^CPR||Jørgensen^Ole||19030201|M|||Æblevej 2^^Køge"
CODE = "WDTPSFCXX_$15[+_$15"


def msh(kind="ORM^O01", charset="", version="2.3.1"):
    return f"MSH|^~\\&|Sectra|RIS|Portal|PET|20261121081530||{kind}|4711|P|{version}||||||{charset}"


def orc(control="NW", status="", start="20261124093000", accession="DKREGH0023459112"):
    """An ORC with free text and a person in it, beside what makes a booking."""
    fields = [""] * 21
    fields[0], fields[1], fields[2], fields[3], fields[5] = "ORC", control, "P1", "F1", status
    fields[7] = f"^^^{start}^^R^^Ole skal have tolk"
    fields[12] = "123^Læge^Lise"
    fields[20] = accession
    return "|".join(fields)


def obr(procedure=f"{CODE}^PET/CT, NaF Knogle (+)", room="RH-PET1", accession=""):
    fields = [""] * 32
    fields[0], fields[2], fields[3], fields[4] = "OBR", "P1", "F1", procedure
    fields[13] = "Mistanke om cancer hos Ole"
    fields[20], fields[21] = accession, room
    fields[31] = "Henvist for cancer"
    return "|".join(fields)


def message(*segments, end="\r", encoding="latin-1"):
    return "".join(f"{segment}{end}" for segment in segments).encode(encoding)


def parse(*segments, **kwargs):
    return parse_order_message(message(*segments, **kwargs), CPH)


def refusal(*segments, **kwargs):
    with pytest.raises(FormatError) as refused:
        parse(*segments, **kwargs)
    return refused.value.where, refused.value.reason


@pytest.mark.requirement("TS-020")
@pytest.mark.parametrize("control", ["NW", "XO", "xo"])
def test_an_order_creates_or_updates_a_booking(control):
    assert parse(msh(), PATIENT, "PV1|||x", orc(control), obr()) == [
        BookingMessage(
            act=BookingAct.UPSERT,
            accession="DKREGH0023459112",
            starts_at=datetime(2026, 11, 24, 9, 30, tzinfo=CPH),
            procedure_code=CODE,
            procedure_text="PET/CT, NaF Knogle (+)",
            room="RH-PET1",
        )
    ]


@pytest.mark.requirement("TS-020")
@pytest.mark.parametrize("control", ["CA", "DC"])
def test_a_cancellation_needs_only_the_accession_number_of_obr(control):
    segments = (msh(), PATIENT, f"ORC|{control}", obr(room="", accession="ACC9"))
    assert parse(*segments) == [BookingMessage(BookingAct.CANCEL, "ACC9")]


def test_a_cancellation_may_come_without_obr():
    assert parse(msh(), orc("CA", start="")) == [
        BookingMessage(BookingAct.CANCEL, "DKREGH0023459112")
    ]


@pytest.mark.requirement("TS-020")
@pytest.mark.parametrize("control", ["XO", "CA", "SC", ""])
def test_an_examination_that_has_begun_changes_nothing(control):
    (booking,) = parse(msh(), orc(control, status="ExamStarted", start=""), obr(room=""))
    assert booking == BookingMessage(BookingAct.NO_CHANGE, "DKREGH0023459112")


def test_the_accession_number_of_orc_goes_before_that_of_obr():
    (booking,) = parse(msh(), orc(accession="A1"), obr(accession="A2"))
    assert booking.accession == "A1"
    (booking,) = parse(msh(), orc(accession='""'), obr(accession="A2"))
    assert booking.accession == "A2"


@pytest.mark.requirement("TS-020")
def test_order_groups_may_repeat():
    bookings = parse(
        msh(),
        orc(accession="A1"),
        obr(),
        orc("CA", accession=""),
        obr(accession="A2"),
        orc("XO", accession="", start="202611250700"),
        obr(accession="A3"),
        obr(accession="A4", room="RH-PET2"),
    )
    assert [(b.act, b.accession, b.room) for b in bookings] == [
        (BookingAct.UPSERT, "A1", "RH-PET1"),
        (BookingAct.CANCEL, "A2", ""),
        (BookingAct.UPSERT, "A3", "RH-PET1"),
        (BookingAct.UPSERT, "A4", "RH-PET2"),
    ]


def test_one_accession_number_for_two_different_bookings_is_a_contradiction():
    assert refusal(msh(), orc(), obr(), obr(room="RH-PET2")) == ("OBR", Reason.CONTRADICTION)
    anew = parse(msh(), orc(), obr(), orc("CA"), orc(), obr(room="RH-PET2"))
    assert [b.act for b in anew] == [BookingAct.UPSERT, BookingAct.CANCEL, BookingAct.UPSERT]


@pytest.mark.requirement("TS-020")
@pytest.mark.parametrize(
    ("start", "utc"),
    [
        ("202611240930", (2026, 11, 24, 8, 30)),
        ("20261124093015", (2026, 11, 24, 8, 30, 15)),
        ("20261124093015.1234", (2026, 11, 24, 8, 30, 15)),
        ("20260724093000", (2026, 7, 24, 7, 30)),
        ("20261124093000-0500", (2026, 11, 24, 14, 30)),
        ("202611240930+0530", (2026, 11, 24, 4, 0)),
        ("20261025023000", (2026, 10, 25, 0, 30)),  # comes twice: the first
        ("20260329023000", (2026, 3, 29, 1, 30)),  # does not exist: 03:30
    ],
)
def test_a_start_is_site_time_unless_it_says_otherwise(start, utc):
    (booking,) = parse(msh(), orc(start=start), obr())
    assert booking.starts_at.tzinfo is CPH
    assert booking.starts_at.astimezone(UTC) == datetime(*utc, tzinfo=UTC)


@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)),
    st.integers(-12 * 60, 14 * 60),
)
def test_any_start_with_an_offset_is_the_moment_it_names(clock, offset_min):
    clock = clock.replace(microsecond=0)
    sign = "-" if offset_min < 0 else "+"
    hours, minutes = divmod(abs(offset_min), 60)
    start = f"{clock:%Y%m%d%H%M%S}{sign}{hours:02}{minutes:02}"
    (booking,) = parse(msh(), orc(start=start), obr())
    moment = booking.starts_at.astimezone(UTC).replace(tzinfo=None)
    assert moment == clock - timedelta(minutes=offset_min)


@pytest.mark.parametrize(
    "start", ["20261124", "2026112409", "20261124093", "20261324093000", "20261124253000",
              "20261124093061", "19991124093000", "yesterday", "202611240930+2560",
              "202611240930+9900", "2026-11-24 09:30", "２０２６１１２４０９３０"]
)  # fmt: skip
def test_an_unreadable_start_is_refused(start):
    where, reason = refusal(msh(charset="UNICODE UTF-8"), orc(start=start), obr(), encoding="utf-8")
    assert (where, reason) == ("ORC[1]-7.4", Reason.UNREADABLE_TIME)


@pytest.mark.parametrize(
    ("segments", "where", "reason"),
    [
        ([orc(accession=""), obr()], "ORC[1]-20.1 or OBR[1]-20.1", Reason.MISSING),
        ([orc("CA", accession=""), obr()], "ORC[1]-20.1 or OBR[1]-20.1", Reason.MISSING),
        ([orc(start=""), obr()], "ORC[1]-7.4", Reason.MISSING),
        ([orc(), obr(procedure="^PET")], "OBR[1]-4.1", Reason.MISSING),
        ([orc(), obr(room="")], "OBR[1]-21.1", Reason.MISSING),
        ([orc(), obr()[:40]], "OBR[1]-21.1", Reason.MISSING),
        ([orc()], "OBR-4.1", Reason.MISSING),
        ([obr()], "ORC-1", Reason.MISSING),
        ([PATIENT], "ORC", Reason.MISSING),
        ([orc("SC"), obr()], "ORC[1]-1", Reason.UNKNOWN_ORDER_CONTROL),
        ([orc(""), obr()], "ORC[1]-1", Reason.MISSING),
        ([orc(), obr(), orc("XX"), obr()], "ORC[2]-1", Reason.UNKNOWN_ORDER_CONTROL),
        ([orc(accession="A" * 65), obr()], "ORC[1]-20", Reason.TOO_LONG),
        ([orc(), obr(procedure="C" * 65)], "OBR[1]-4", Reason.TOO_LONG),
        ([orc(), obr(room="R" * 1_000_000)], "OBR[1]-21", Reason.TOO_LONG),
        ([orc(accession="A\\X0D\\B"), obr()], "ORC[1]-20", Reason.UNREADABLE),
        ([orc(), obr(room="RH\0PET")], "message", Reason.UNREADABLE),
        ([orc(), obr(), msh(), orc(), obr()], "MSH[2]", Reason.MANY_MESSAGES),
    ],
)
def test_what_is_missing_or_wrong_is_refused_with_its_place(segments, where, reason):
    assert refusal(msh(), *segments) == (where, reason)


def test_a_message_without_header_or_of_another_type_is_refused():
    assert refusal(PATIENT, orc(), obr()) == ("MSH", Reason.NO_HEADER)
    assert refusal(msh()[:30], orc(), obr()) == ("MSH-9", Reason.NO_HEADER)
    for kind in ("ADT^A01", "ORM^O02", "ORM", "SIU^S26"):
        assert refusal(msh(kind), orc(), obr()) == ("MSH-9", Reason.TYPE_NOT_TAKEN)


def test_the_types_taken_are_those_of_the_requirement():
    taken = {("ORM", "O01"), ("SIU", "S12"), ("SIU", "S13"), ("SIU", "S14"), ("SIU", "S15")}
    assert taken == TAKEN


def test_a_long_text_is_cut_and_a_text_of_many_lines_put_on_one():
    (booking,) = parse(msh(), orc(), obr(procedure="C1^PET\\.br\\CT \\X0D\\ & more" + " x" * 999))
    assert booking.procedure_text.startswith("PET CT & more x x")
    assert len(booking.procedure_text) <= 255


@pytest.mark.requirement("TS-020")
@pytest.mark.parametrize(
    ("charset", "encoding", "text"),
    [
        ("", "latin-1", "Skjoldbruskkirtel på børn"),
        ("8859/1", "latin-1", "Skjoldbruskkirtel på børn"),
        ("8859/15", "iso8859-15", "Prøve til 5 €"),
        ("UNICODE UTF-8", "utf-8", "Prøve til 5 € 漢"),
        ("UNICODE", "utf-8", "Prøve"),
        ("ASCII", "latin-1", "Prove"),
    ],
)
def test_the_character_set_is_that_of_msh_18(charset, encoding, text):
    (booking,) = parse(msh(charset=charset), orc(), obr(f"C1^{text}"), encoding=encoding)
    assert booking.procedure_text == text


def test_an_unknown_or_wrongly_named_character_set_is_refused():
    assert refusal(msh(charset="KOI8"), orc(), obr()) == ("MSH-18", Reason.UNKNOWN_CHARSET)
    wrong = (msh(charset="UNICODE UTF-8"), orc(), obr("C1^børn"))
    assert refusal(*wrong) == ("message", Reason.NOT_IN_CHARSET)


def test_a_patient_written_in_another_character_set_does_not_matter():
    assert parse(msh(charset="UNICODE UTF-8"), PATIENT, orc(), obr("C1^PET"))


def test_escape_sequences_are_replaced_and_unknown_ones_kept():
    procedure = (
        "A\\S\\B\\F\\C\\T\\D\\R\\E\\E\\F^\\H\\PET\\N\\ \\Zxx\\ \\XZZ\\ \\.sp99999\\ 50 \\ 60"
    )
    (booking,) = parse(msh(), orc(), obr(procedure))
    assert booking.procedure_code == "A^B|C&D~E\\F"
    assert booking.procedure_text == "PET \\Zxx\\ \\XZZ\\ \\.sp99999\\ 50 \\ 60"


def test_hexadecimal_escapes_are_read_in_the_character_set_of_the_message():
    (booking,) = parse(msh(), orc(), obr("C1^\\XE6F8\\"))
    assert booking.procedure_text == "æø"


def test_other_separators_are_honoured():
    raw = (
        b"MSH$%@!+$Sectra$$$$$$ORM%O01$1$P$2.3.1\rPID$$$1%2\r"
        b"ORC$XO$$$$$$%%%202611240930$$$$$$$$$$$$$ACC^1\r"
        b"OBR$$$$C|1%PET!S!CT@X%Y" + b"$" * 17 + b"R&1\r"
    )
    (booking,) = parse_order_message(raw, CPH)
    assert (booking.accession, booking.procedure_code) == ("ACC^1", "C|1")
    assert (booking.procedure_text, booking.room) == ("PET%CT", "R&1")


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "  \r", "\r\r\n"])
def test_any_end_of_segment_is_understood(end):
    (booking,) = parse(msh(), PATIENT, orc(), obr(), end=end)
    assert booking.room == "RH-PET1"


def test_a_message_may_lack_its_last_end_and_carry_unknown_segments():
    raw = message(msh(), "ZXY|1|2", orc(), "NTE|1||note", obr()).rstrip(b"\r|")
    assert len(parse_order_message(raw, CPH)) == 1


def test_a_note_cannot_pose_as_an_order():
    note = "NTE|1||see\n" + orc(accession="FAKE") + "\n" + obr()
    bookings = parse(msh(), note, orc(), obr())
    assert [b.accession for b in bookings] == ["DKREGH0023459112"]


# --- appointments -----------------------------------------------------------------------------


def sch(filler="FILL2", timing="^^^20261124093000", placer_order="ACC7"):
    fields = [""] * 28
    fields[0], fields[1], fields[2], fields[11] = "SCH", "PLAC1", filler, timing
    fields[16], fields[26] = "77^Sekretær^Sanne", placer_order
    return "|".join(fields)


AIS = f"AIS|1|A|{CODE}^PET/CT|20261124101500|||45|m"
AIL = "AIL|1|A|RH-PET1^^^RH|^Scanner"
RGS = "RGS|1|A"


@pytest.mark.requirement("TS-020")
@pytest.mark.parametrize("trigger", ["S12", "S13", "S14"])
def test_an_appointment_creates_or_updates_a_booking(trigger):
    siu = (msh(f"SIU^{trigger}", version="2.5"), sch(), PATIENT, RGS, AIS, AIL)
    assert parse(*siu) == [
        BookingMessage(
            BookingAct.UPSERT,
            "ACC7",
            datetime(2026, 11, 24, 9, 30, tzinfo=CPH),
            CODE,
            "PET/CT",
            "RH-PET1",
        )
    ]


@pytest.mark.requirement("TS-020")
def test_a_cancelled_appointment_cancels_the_booking():
    assert parse(msh("SIU^S15"), sch(timing=""), PATIENT) == [
        BookingMessage(BookingAct.CANCEL, "ACC7")
    ]


@pytest.mark.requirement("TS-020")
def test_an_appointment_with_an_order_in_it_is_the_booking_of_that_order():
    as_order = parse(msh(), PATIENT, orc(), obr())
    as_appointment = parse(msh("SIU^S12"), sch(), PATIENT, RGS, AIS, AIL, orc(""), obr())
    assert as_appointment == as_order


def test_an_appointment_that_has_begun_changes_nothing():
    (booking,) = parse(msh("SIU^S14"), sch(), orc("SC", "ExamStarted", accession=""), RGS)
    assert booking == BookingMessage(BookingAct.NO_CHANGE, "ACC7")


def test_an_appointment_falls_back_on_what_else_names_it():
    siu = (msh("SIU^S12"), sch(placer_order="", timing=""), AIS, "AIL|1||RH^PET 3^^RH")
    (booking,) = parse(*siu)
    assert booking.accession == "FILL2"
    assert booking.starts_at == datetime(2026, 11, 24, 10, 15, tzinfo=CPH)
    assert booking.room == "PET 3"


@pytest.mark.parametrize(
    ("segments", "where"),
    [
        ([RGS, AIS, AIL], "SCH"),
        ([sch(filler="", placer_order=""), AIS, AIL],
         "ORC-20.1 or OBR-20.1 or SCH[1]-26.1 or SCH[1]-27.1 or SCH[1]-2.1"),
        ([sch(timing=""), AIL, "AIS|1||C1"], "ORC-7.4 or SCH[1]-11.4 or TQ1-7.1 or AIS[1]-4.1"),
        ([sch(), AIL, AIS.replace("|A|", "|D|")], "OBR-4.1 or AIS-3.1"),
        ([sch(), "RGS|1|D", AIS, AIL], "OBR-4.1 or AIS-3.1"),
        ([sch(), AIS, AIL, AIL.replace("RH-PET1", "RH-PET2")],
         "OBR-21.1 or AIL[1-2]-3.2 or AIL[1-2]-3.1"),
        ([sch(), AIL], "OBR-4.1 or AIS-3.1"),
        ([sch(), AIL, AIS, AIS.replace(CODE, "OTHER")], "OBR-4.1 or AIS[1-2]-3.1"),
        ([sch(), AIS], "OBR-21.1 or AIL-3.2 or AIL-3.1"),
    ],
)  # fmt: skip
def test_an_appointment_that_does_not_say_enough_is_refused(segments, where):
    assert refusal(msh("SIU^S12"), *segments) == (where, Reason.MISSING)


def test_the_same_service_named_twice_is_one():
    (booking,) = parse(msh("SIU^S12"), sch(), RGS, AIS, AIL, RGS, AIS, AIL)
    assert booking.procedure_code == CODE


@pytest.mark.requirement("TS-020")
def test_a_rescheduled_appointment_may_name_the_old_resources_as_deleted():
    old = [AIS.replace("|A|", "|D|").replace(CODE, "OLD"), AIL.replace("|A|", "|d|")]
    new = [AIS, AIL.replace("RH-PET1", "RH-PET2")]
    for segments in ([RGS, *old, *new], ["RGS|1|D", *new[:1], AIL, "RGS|2|A", *new]):
        (booking,) = parse(msh("SIU^S13"), sch(), *segments)
        assert (booking.procedure_code, booking.room) == (CODE, "RH-PET2")


@pytest.mark.requirement("TS-020")
@pytest.mark.parametrize(
    ("state", "act"),
    [
        ("Booked", BookingAct.UPSERT),
        ("", BookingAct.UPSERT),
        ("Started^begun^HL70278", BookingAct.NO_CHANGE),
        ("COMPLETE", BookingAct.NO_CHANGE),
        ("Cancelled", BookingAct.CANCEL),
        ("Deleted", BookingAct.CANCEL),
    ],
)
def test_the_state_of_an_appointment_goes_before_its_trigger(state, act):
    fields = sch().split("|")
    fields[25] = state
    (booking,) = parse(msh("SIU^S14"), "|".join(fields), RGS, AIS, AIL)
    assert (booking.act, booking.accession) == (act, "ACC7")


def test_since_version_2_7_the_start_stands_in_tq1():
    timing = "TQ1|1||||||20261124113000|20261124121500|R^Ole skal have tolk"
    (booking,) = parse(msh("SIU^S12", version="2.8"), sch(timing=""), timing, RGS, AIS, AIL)
    assert booking.starts_at == datetime(2026, 11, 24, 11, 30, tzinfo=CPH)


# --- the patient ------------------------------------------------------------------------------

NAMES = ["Jørgensen", "Ole", "010203", "Æblevej", "Køge", "cancer", "tolk", "Lise", "Sanne"]


@pytest.mark.requirement("TS-022")
@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_nothing_of_the_patient_is_kept(end):
    raw = message(
        msh(), PATIENT, "PD1||||Jørgensen", "NK1|1|Jørgensen^Ole", "PV1|||Ole", "GT1|1||Ole",
        "IN1|1|||Køge", orc(), obr(), "NTE|1||Ole har cancer\nog Ole skal have tolk",
        "DG1|1||cancer", "OBX|1|TX|||Ole", "ZPI|Jørgensen", "not a segment about Ole", end=end,
    )  # fmt: skip
    kept = without_patient(raw).decode("latin-1")
    assert [name for name in NAMES if name in kept] == []
    assert [line[:4] for line in kept.split("\r")][:3] == ["MSH|", "PID|", "PD1|"]


@pytest.mark.requirement("TS-022")
def test_nothing_of_the_patient_is_kept_of_an_appointment():
    kept = without_patient(message(msh("SIU^S12"), sch(), PATIENT, RGS, AIS, AIL, "AIP|1||7^Lise"))
    assert [name for name in NAMES if name in kept.decode("latin-1")] == []


@pytest.mark.requirement("TS-022")
def test_a_message_that_cannot_be_made_free_of_identity_is_refused():
    with pytest.raises(FormatError) as refused:
        without_patient(message(PATIENT, orc()))
    assert refused.value.reason is Reason.NO_HEADER


@pytest.mark.requirement("TS-022")
def test_no_error_or_log_says_anything_of_the_patient(caplog):
    caplog.set_level(logging.DEBUG)
    for segments in (
        [msh(), PATIENT, orc("ZZ"), obr()],
        [msh(), PATIENT, orc(start="Ole"), obr()],
        [msh(), PATIENT, orc(accession="Ole\\.in9\\\\\\" + "Jørgensen" * 9), obr()],
        [msh(charset="UNICODE UTF-8"), PATIENT, orc(), obr("C^Jørgensen")],
        [PATIENT, orc(), obr()],
    ):
        with pytest.raises(FormatError) as refused:
            parse(*segments)
        told = f"{refused.value!r} {refused.value} {refused.value.__cause__} {caplog.text}"
        assert [name for name in NAMES if name in told] == []
        assert refused.value.__suppress_context__ or refused.value.__context__ is None


free_text = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=30)
segments_about_bookings = st.one_of(
    st.builds(
        orc,
        control=st.sampled_from(["NW", "XO", "CA", "DC", "SC", ""]),
        status=st.sampled_from(["", "ExamStarted", "IP"]),
        start=st.sampled_from(["20261124093000", "2026112409", "", "202611240930+0100"]),
        accession=st.one_of(st.sampled_from(["A1", "A2", ""]), free_text),
    ),
    st.builds(obr, procedure=free_text, room=free_text, accession=free_text),
    st.builds(sch, filler=free_text, placer_order=free_text),
    st.sampled_from(
        [AIS, AIL, RGS, AIL.replace("|A|", "|D|"), "RGS|2|D", "TQ1|1||||||20261124113000"]
    ),
)
segments_about_others = st.one_of(
    st.builds(
        "{}|{}".format, st.sampled_from(["PID", "NTE", "PV1", "ZZ9", "OBX", "GT1"]), free_text
    ),
    free_text,
)
kinds = st.sampled_from(["ORM^O01", "SIU^S12", "SIU^S15", "ADT^A01"])


@pytest.mark.requirement("TS-022")
@given(
    kind=kinds,
    charset=st.sampled_from(["", "8859/1", "UNICODE UTF-8", "ASCII", "KOI8"]),
    segments=st.lists(st.one_of(segments_about_bookings, segments_about_others), max_size=8),
    end=st.sampled_from(["\r", "\n", "\r\n"]),
)
def test_bookings_parse_the_same_with_and_without_the_patient(kind, charset, segments, end):
    def outcome(raw):
        try:
            return parse_order_message(raw, CPH)
        except FormatError as error:
            return error.where, error.reason

    raw = message(msh(kind, charset), *segments, end=end)
    kept = without_patient(raw)
    assert outcome(kept) == outcome(raw)
    assert without_patient(kept) == kept
    assert read_header(kept) == read_header(raw)


@given(st.binary(max_size=400))
def test_any_bytes_give_bookings_or_the_one_error(tail):
    for head in (b"", msh().encode() + b"\r", msh("SIU^S12").encode() + b"\r"):
        with contextlib.suppress(FormatError):
            assert isinstance(parse_order_message(head + tail, CPH), list)
