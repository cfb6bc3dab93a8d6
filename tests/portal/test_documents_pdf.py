"""PDFs: data as text and never as program, the house's paper, the release certificate, the seal."""

import copy
import datetime as dt
import io
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader

from portal import serverkeys
from portal.documents import sealing
from portal.documents.rendering import RenderError, render_pdf, render_png
from portal.documents.sealing import SealError, SealState, seal_pdf, verify_seal
from portal.signing.canonical import canonical, digest

CERTIFICATE = (
    Path(__file__).parents[2] / "modules/tracershop/tracershop/documents/release_certificate.typ"
)

LABELS = {
    # the house's
    "version": "Version",
    "issued_at": "Issued",
    "page": "Page",
    "of": "of",
    "verify_at": "Verify at",
    "data_sha256": "SHA-256 of the data",
    "printed_name": "Signed by",
    "meaning": "Meaning",
    "signed_at": "Signed at (UTC)",
    "signed_at_local": "Signed at (site)",
    "signing_key": "Signer's key",
    "signing_method": "Signed with",
    "signed_digest": "SHA-256 of what was signed",
    "countersign_key": "Server's counter-signing key",
    # the certificate's
    "use": "Intended use",
    "use_human": "HUMAN USE",
    "use_human_note": "Released for administration to patients",
    "use_preclinical": "PRECLINICAL USE",
    "use_preclinical_note": "NOT FOR HUMANS (animal or other)",
    "order": "Order",
    "order_number": "Order number",
    "customer": "Customer",
    "endpoint": "Delivered to",
    "deliver_at": "Deliver at",
    "tracer": "Tracer",
    "isotope": "Isotope",
    "half_life": "Half-life",
    "ordered_for": "Ordered for",
    "due_activity": "That is at delivery, MBq",
    "ghost": "Ghost order: added by production",
    "moved": "Moved to an earlier delivery",
    "ordered_activity": "Ordered activity",
    "ordered_injections": "Ordered injections",
    "delivered_activity": "Delivered activity",
    "vials": "Vials",
    "lot": "Lot",
    "position": "Position",
    "filled_at": "Filled",
    "activity_at_fill": "Activity at fill, MBq",
    "volume": "Volume, ml",
    "activity_at_delivery": "Activity at delivery, MBq",
    "expires_at": "Expires",
    "total": "Total at delivery",
    "warnings": "Confirmed warnings",
    "no_warnings": "None confirmed",
    "reason": "Reason",
    "release": "Release",
}

DOCUMENT = {
    "organisation": "Rigshospitalet · Cyclotron and Radiochemistry",
    "title": "Release certificate",
    "number": "RC-2026-001042",
    "version": 1,
    "issued_at": dt.datetime(2026, 11, 21, 7, 14, 2, tzinfo=dt.timezone(dt.timedelta(hours=1))),
    "issued_at_text": "21 November 2026 07:14",
    "verify_url": "https://portal.example.org/documents/RC-2026-001042",
    "lang": "en",
}

SIGNATURE = {
    "printed_name": "Anne-Mette Kjærgaard",
    "meaning": "Released for human use",
    "method": "passkey",
    "signed_at_utc": "2026-11-21 06:13:58 UTC",
    "signed_at_local": "2026-11-21 07:13:58 CET (Europe/Copenhagen)",
    "key_id": "9f2c41d07ab3e815",
    "digest": "3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8551",
    "countersign_key_id": "8d55a950926c8b7c",
}


def certificate_data():
    """What Tracershop gives for one released order of two vials."""
    vial = {
        "lot": "FDG-261121-1",
        "position": "3",
        "filled_at": "21 Nov 06:02:17",
        "activity_at_fill_mbq": "5 630",
        "volume_ml": "11.2",
        "activity_at_delivery_mbq": "2 437",
        "expires_at": "21 Nov 18:00",
    }
    other = {
        "lot": "FDG-261121-2",
        "position": "4",
        "filled_at": "21 Nov 06:04:51",
        "activity_at_fill_mbq": "4 275",
        "volume_ml": Decimal("8.60"),
        "activity_at_delivery_mbq": "1 881",
        "expires_at": None,
    }
    order = {
        "number": "1042",
        "customer": "Bispebjerg Hospital",
        "endpoint": "PET scanner 2, Department of Nuclear Medicine",
        "deliver_at": "21 Nov 2026 08:15",
        "tracer": "FDG (fludeoxyglucose)",
        "isotope": "F-18",
        "half_life": "6 584 s (109.7 min)",
        "ordered_activity_mbq": "4 200",
        "injections": None,
        "delivered_activity_mbq": "4 318",
        "ordered_for": None,
        "due_activity_mbq": None,
        "ghost": False,
    }
    return copy.deepcopy(
        {
            "document": DOCUMENT,
            "labels": LABELS,
            "use": "human",
            "order": order,
            "vials": [vial, other],
            "warnings": [],
            "signature": SIGNATURE,
        }
    )


# --- reading a PDF back ---------------------------------------------------------------------------


def _unicode_of(font):
    """The font's character codes → text, from its ToUnicode map (bfchar and bfrange)."""
    cmap = font["/ToUnicode"].data.decode("ascii")
    table = {}

    def text(digits):
        return bytes.fromhex(digits).decode("utf-16-be")

    for part in re.findall(r"beginbfchar(.*?)endbfchar", cmap, re.DOTALL):
        for code, to in re.findall(r"<(\w+)>\s*<(\w+)>", part):
            table[int(code, 16)] = text(to)
    for part in re.findall(r"beginbfrange(.*?)endbfrange", cmap, re.DOTALL):
        for low, high, to in re.findall(r"<(\w+)>\s*<(\w+)>\s*<(\w+)>", part):
            for code in range(int(low, 16), int(high, 16) + 1):
                table[code] = chr(ord(text(to)) + code - int(low, 16))
    return table


def _literals(drawn):
    """Each operand `(…)` of a content stream as bytes, and what stands before it."""
    escaped = {ord(b"n"): 10, ord(b"r"): 13, ord(b"t"): 9, ord(b"b"): 8, ord(b"f"): 12}
    at = 0
    while (start := drawn.find(b"(", at)) >= 0:
        literal, depth, place = bytearray(), 1, start + 1
        while depth:
            byte = drawn[place]
            place += 1
            if byte == ord(b"\\"):
                if octal := re.match(rb"[0-7]{1,3}", drawn[place : place + 3]):
                    literal.append(int(octal[0], 8))
                    place += len(octal[0])
                else:
                    literal.append(escaped.get(drawn[place], drawn[place]))
                    place += 1
                continue
            depth += {ord(b"("): 1, ord(b")"): -1}.get(byte, 0)
            if depth:
                literal.append(byte)
        yield drawn[at:start], bytes(literal)
        at = place


def pages(pdf):
    """The text of each page in the order it is drawn, white space evened out."""
    texts = []
    for page in PdfFileReader(io.BytesIO(pdf)).root["/Pages"]["/Kids"]:
        page = page.get_object()
        fonts = {
            name.encode(): _unicode_of(font.get_object())
            for name, font in page["/Resources"]["/Font"].items()
        }
        found, font = [], {}
        for before, literal in _literals(page["/Contents"].data):
            if before.endswith(b"/Lang"):
                continue
            if chosen := re.search(rb"(/\w+) [\d.]+ Tf", before):
                found.append(" ")
                font = fonts[chosen[1]]
            codes = zip(literal[::2], literal[1::2], strict=True)
            found += [font[256 * high + low] for high, low in codes]
        texts.append(" ".join("".join(found).split()))
    return texts


def render(body, data=None, **how):
    """Render a template that only prints, with enough around it to be a proper document."""
    source = '#let data = json(bytes(sys.inputs.data))\n#set document(title: "T")\n' + body
    return render_pdf(source, data or {}, **how)


# --- data is text -------------------------------------------------------------------------------

HOSTILE = [
    '#read("/etc/passwd")',
    "*bold* _emph_ `raw` = heading",
    "$x^2$ and $ sum_(i=0) $",
    "#eval(\"1+1\") #panic('x')",
    '"} #import "@preview/evil:1.0.0": * {"',
    "]) #pagebreak() // comment /* comment */",
    "<script>alert(1)</script> <label> @ref \\ \\u{41} ~ --- ...",
    "\\\" ' ; {} [] () %PDF-1.7 endstream endobj",
]


@pytest.mark.requirement("TS-086")
@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_people_typed_is_printed_as_they_typed_it(hostile):
    data = certificate_data()
    data["order"]["customer"] = hostile
    data["signature"]["printed_name"] = hostile
    data["vials"][0]["lot"] = hostile
    data["warnings"] = [{"text": hostile, "reason": hostile}]
    data["labels"]["release"] = hostile
    text = "".join(pages(render_pdf(CERTIFICATE, data)))
    # Lines are broken anywhere between words: compare without the spaces.
    assert text.replace(" ", "").count(hostile.replace(" ", "")) == 6
    assert "root:" not in text


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x17E), max_size=30))
def test_any_text_goes_through_unchanged(typed):
    # Soft hyphens and C1 controls do not show; ligatures and spacing marks are typst's own affair.
    visible = "".join(c for c in typed if c.isprintable() and not c.isspace())
    (text,) = pages(render("#raw(data.typed)\nend", {"typed": visible}))
    assert text.replace(" ", "") == visible + "end"


def test_the_text_of_the_test_reader_tells_bold_from_asterisks():
    (text,) = pages(render("*bold*"))
    assert text == "bold"


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../../etc/passwd", "../../../../../../etc/passwd"]
)
def test_a_template_reads_nothing_outside_its_folder(path):
    with pytest.raises(RenderError, match=r"main\.typ:3"):
        render(f'#read("{path}")')


def test_a_template_fetches_nothing_from_the_network(tmp_path):
    with pytest.raises(RenderError, match=r"main\.typ imports a package"):
        render('#import "@preview/cetz:0.3.0"')
    (tmp_path / "part.typ").write_text('#import "@preview/cetz:0.3.0"')
    with pytest.raises(RenderError, match=r"part\.typ imports a package"):
        render("fine", root=tmp_path)
    with pytest.raises(RenderError, match="cetz"):
        render('#import ("@local" + "/cetz:0.3.0"): *')


def test_the_word_of_a_package_in_the_data_is_only_a_word():
    assert pages(render("#data.a", {"a": "@preview/cetz"})) == ["@preview/cetz"]


# --- the same on every machine ------------------------------------------------------------------


def test_the_same_data_give_the_same_bytes_and_others_do_not():
    data = certificate_data()
    first = render_pdf(CERTIFICATE, data)
    assert render_pdf(CERTIFICATE, dict(reversed(data.items()))) == first
    data["order"]["number"] = "1043"
    assert render_pdf(CERTIFICATE, data) != first


def test_only_fonts_inside_typst_are_used_and_all_are_in_the_pdf():
    reader = PdfFileReader(io.BytesIO(render_pdf(CERTIFICATE, certificate_data())))
    page = reader.root["/Pages"]["/Kids"][0].get_object()
    fonts = [font.get_object() for font in page["/Resources"]["/Font"].values()]
    names = {font["/BaseFont"].split("+")[1].split("-")[0] for font in fonts}
    assert names == {"LibertinusSerif", "DejaVuSansMono"}
    for font in fonts:
        described = font["/DescendantFonts"][0].get_object()["/FontDescriptor"]
        assert {"/FontFile2", "/FontFile3"} & set(described.keys())


def test_a_font_of_the_machine_is_not_taken():
    with_arial = render('#set text(font: "Arial")\nx')
    assert b"Arial" not in with_arial


def test_the_pdf_is_archivable_and_accessible_and_carries_its_own_date_and_language():
    reader = PdfFileReader(io.BytesIO(render_pdf(CERTIFICATE, certificate_data())))
    told = reader.root["/Metadata"].data.decode()
    assert "<pdfaid:part>2</pdfaid:part>" in told
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in told
    assert "<pdfuaid:part>1</pdfuaid:part>" in told
    assert "2026-11-21T06:14:02" in told
    assert "Release certificate RC-2026-001042" in told
    assert reader.root["/Lang"] == "en"


@pytest.mark.parametrize("char", ["😀", "中", "\x07", "\u202e", "\u200b", "\ue000", "\U0010ffff"])
def test_a_character_that_cannot_be_printed_or_would_mislead_is_printed_by_number(char):
    (text,) = pages(render("#data.a.b.at(0)", {"a": {"b": [f"før{char}efter"]}}))
    assert text == f"før[U+{ord(char):04X}]efter"


@pytest.mark.parametrize("word", ["Řeřicha", "Ærø", "Ωμέγα", "Воронеж", "e\u0301", "✓≤²−"])
def test_a_character_that_can_be_printed_is(word):
    (text,) = pages(render("#data.a", {"a": word}))
    assert "[U+" not in text
    assert len(text.replace(" ", "")) >= len(word) - 1


# --- what is wrong is said ------------------------------------------------------------------------


def test_an_error_in_a_template_is_told_with_its_line_and_not_the_scratch_folder(tmp_path):
    template = tmp_path / "broken.typ"
    template.write_text('#import "house.typ": house, data\n#show: house\n#data.nowhere\n')
    with pytest.raises(RenderError) as caught:
        render_pdf(template, {"document": DOCUMENT, "labels": LABELS})
    told = str(caught.value)
    assert "broken.typ:3" in told
    assert "nowhere" in told
    assert "document-" not in told


def test_a_missing_label_is_named():
    data = certificate_data()
    del data["labels"]["half_life"]
    with pytest.raises(RenderError, match="half_life"):
        render_pdf(CERTIFICATE, data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"order": {"at": dt.datetime(2026, 1, 1)}}, r"order\.at.*no zone"),
        ({"document": {"issued_at": "2026-11-21T07:14:02"}}, "issued_at.*with a zone"),
        ({"document": {"issued_at": "yesterday"}}, "issued_at.*with a zone"),
        ({"document": {"issued_at": 7}}, "issued_at.*with a zone"),
    ],
)
def test_data_that_cannot_be_used_is_named(data, says):
    with pytest.raises(RenderError, match=says):
        render("x", data)


def test_a_template_that_is_not_there_or_not_where_it_says_is_named(tmp_path):
    with pytest.raises(RenderError, match=r"no template absent\.typ"):
        render_pdf(tmp_path / "absent.typ", {})
    (tmp_path / "below").mkdir()
    with pytest.raises(RenderError, match="not below its root"):
        render_pdf(CERTIFICATE, {}, root=tmp_path / "below")


def test_a_template_cannot_put_itself_in_the_houses_place(tmp_path):
    (tmp_path / "house.typ").write_text("#let house(body) = body")
    (tmp_path / "letter.typ").write_text('#import "house.typ": house\n#show: house\nhi')
    with pytest.raises(RenderError, match="house's name"):
        render_pdf(tmp_path / "letter.typ", {})


def test_a_template_uses_what_lies_beside_it(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "greeting.typ").write_text("#let hi = [Goddag]")
    (tmp_path / "letter.typ").write_text(
        '#import "house.typ": house\n#import "parts/greeting.typ": hi\n#show: house\n#hi'
    )
    (text,) = pages(render_pdf(tmp_path / "letter.typ", {"document": DOCUMENT, "labels": LABELS}))
    assert "Goddag" in text
    (below,) = pages(
        render_pdf(
            tmp_path / "letter.typ",
            {"document": DOCUMENT, "labels": LABELS},
            root=tmp_path,
        )
    )
    assert below == text


# --- the house's paper ----------------------------------------------------------------------------


@pytest.mark.requirement("TS-086")
def test_every_page_says_what_it_is_a_page_of_and_how_to_verify_it():
    data = certificate_data()
    data["vials"] *= 25
    found = pages(render_pdf(CERTIFICATE, data))
    assert len(found) == 3
    for number, text in enumerate(found, start=1):
        for part in (
            "Rigshospitalet · Cyclotron and Radiochemistry",
            "Release certificate · HUMAN USE",
            "RC-2026-001042",
            "Version 1 · Issued 21 November 2026 07:14",
            "Verify at https://portal.example.org/documents/RC-2026-001042",
            f"SHA-256 of the data {digest(canonical(data))}",
            f"Page {number} of 3",
        ):
            assert part in text


def test_a_mark_is_on_every_page_and_only_where_it_is_asked_for():
    data = certificate_data()
    data["vials"] *= 25
    assert not any("NOT FOR CLINICAL USE" in text for text in pages(render_pdf(CERTIFICATE, data)))
    data["document"]["mark"] = "NOT FOR CLINICAL USE"
    assert all("NOT FOR CLINICAL USE" in text for text in pages(render_pdf(CERTIFICATE, data)))


def test_a_document_can_be_looked_at_as_pictures():
    data = certificate_data()
    data["vials"] *= 25
    pictures = render_png(CERTIFICATE, data)
    assert len(pictures) == 3
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)


# --- the release certificate ----------------------------------------------------------------------


@pytest.mark.requirement("TS-083")
@pytest.mark.requirement("TS-086")
def test_a_release_certificate_says_what_was_released_for_whom_and_by_whom():
    data = certificate_data()
    (text,) = pages(render_pdf(CERTIFICATE, data))
    values = [value for value in data["order"].values() if value]
    values += [str(value) for vial in data["vials"] for value in vial.values() if value is not None]
    values += data["signature"].values()
    values[values.index("8.60")] = "8.6"
    for value in values:
        assert value.replace(" ", "") in text.replace(" ", ""), value
    assert "ORDERED ACTIVITY 4 200 MBq" in text
    assert "DELIVERED ACTIVITY 4 318 MBq" in text
    assert "INTENDED USE HUMAN USE Released for administration to patients" in text
    assert "PRECLINICAL" not in text
    assert "None confirmed" in text
    assert "FDG-261121-2 4 21 Nov 06:04:51 4 275 8.6 1 881 –" in text  # no expiry known
    assert "INJECTIONS" not in text


@pytest.mark.requirement("TS-042", "TS-043", "TS-086")
def test_a_certificate_says_that_the_order_was_moved_and_that_no_shop_placed_it():
    data = certificate_data()
    (text,) = pages(render_pdf(CERTIFICATE, data))
    assert "ORDERED FOR" not in text
    assert "Ghost" not in text
    data["order"] |= {"ordered_for": "21 Nov 11:30", "due_activity_mbq": "14 345", "ghost": True}
    text = " ".join(pages(render_pdf(CERTIFICATE, data)))
    for words in ("21 Nov 11:30", "14 345", "Ghost order: added by production"):
        assert words.replace(" ", "") in text.replace(" ", "")


@pytest.mark.requirement("TS-083")
def test_preclinical_use_is_said_in_large_and_on_every_page():
    data = certificate_data()
    data["use"] = "preclinical"
    data["vials"] *= 25
    first, *others = pages(render_pdf(CERTIFICATE, data))
    assert "INTENDED USE PRECLINICAL USE NOT FOR HUMANS (animal or other)" in first
    assert "HUMAN USE" not in first
    assert all("PRECLINICAL USE" in text for text in others)


@pytest.mark.requirement("TS-083")
def test_a_use_that_is_neither_makes_no_certificate():
    data = certificate_data()
    data["use"] = "animal"
    with pytest.raises(RenderError, match="neither human nor preclinical"):
        render_pdf(CERTIFICATE, data)


def test_an_order_of_injections_says_their_number():
    data = certificate_data()
    data["order"].update(injections=4, ordered_activity_mbq=None)
    (text,) = pages(render_pdf(CERTIFICATE, data))
    assert "ORDERED INJECTIONS 4" in text
    assert "ORDERED ACTIVITY" not in text


@pytest.mark.requirement("TS-086")
def test_confirmed_warnings_are_printed_with_their_reasons():
    data = certificate_data()
    data["warnings"] = [
        {"text": "Less activity than ordered.", "reason": "Agreed by telephone."},
        {"text": "Lot of another day.", "reason": "Synthesis before midnight."},
    ]
    (text,) = pages(render_pdf(CERTIFICATE, data))
    assert "Less activity than ordered. Reason: Agreed by telephone." in text
    assert "Lot of another day. Reason: Synthesis before midnight." in text
    assert "None confirmed" not in text


# --- the seal -------------------------------------------------------------------------------------

SAID = {"reason": "Release certificate", "location": "Rigshospitalet", "name": "Hospital Portal"}


@pytest.fixture(scope="module")
def credentials(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    serverkeys.create_missing(folder)
    return serverkeys.load_sealing(folder)


@pytest.fixture(scope="module")
def unsealed():
    return render_pdf(CERTIFICATE, certificate_data())


@pytest.fixture(scope="module")
def sealed(unsealed, credentials):
    return seal_pdf(unsealed, credentials, **SAID)


@pytest.mark.requirement("PT-030")
@pytest.mark.requirement("TS-086")
def test_a_sealed_pdf_is_intact_and_says_the_same(unsealed, sealed, credentials):
    assert verify_seal(sealed, credentials.certificate) is SealState.INTACT
    assert sealed.startswith(unsealed)
    assert pages(sealed) == pages(unsealed)


@pytest.mark.requirement("PT-030")
def test_the_seal_is_pades_invisible_and_forbids_changes(sealed):
    reader = PdfFileReader(io.BytesIO(sealed))
    (seal,) = reader.embedded_signatures
    assert seal.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
    assert {name: seal.sig_object[f"/{name.title()}"] for name in SAID} == SAID
    attributes = {attribute["type"].native for attribute in seal.signer_info["signed_attrs"]}
    assert "signing_certificate_v2" in attributes
    assert "signing_time" not in attributes  # PAdES has it in the dictionary
    assert list(seal.sig_field["/Rect"]) == [0, 0, 0, 0]
    assert seal.docmdp_level.name == "NO_CHANGES"


@pytest.mark.requirement("PT-030")
def test_a_pdf_without_a_seal_has_none(unsealed, credentials):
    for pdf in (unsealed, b"", b"no PDF"):
        assert verify_seal(pdf, credentials.certificate) is SealState.ABSENT


@pytest.mark.requirement("PT-030")
def test_any_changed_byte_of_the_document_is_found(sealed, credentials):
    (seal,) = PdfFileReader(io.BytesIO(sealed)).embedded_signatures
    _, before, after, rest = (int(number) for number in seal.byte_range)

    @settings(max_examples=150, deadline=None)
    @given(st.integers(0, before + rest - 1), st.integers(1, 255))
    def found(place, flip):
        place = place if place < before else place - before + after
        changed = bytearray(sealed)
        changed[place] ^= flip
        state = verify_seal(bytes(changed), credentials.certificate)
        # Where the very name of the seal is damaged, there is none to be read.
        assert state in {SealState.MODIFIED, SealState.ABSENT}

    found()


@pytest.mark.requirement("PT-030")
def test_a_changed_seal_is_found(sealed, credentials):
    (seal,) = PdfFileReader(io.BytesIO(sealed)).embedded_signatures
    _, before, after, _ = (int(number) for number in seal.byte_range)
    value = seal.signer_info["signature"].native.hex().upper().encode()
    start = sealed.index(value)
    certificate = sealed.index(seal.signer_cert.dump().hex().upper().encode())
    for place in (
        start,
        start + len(value) - 1,
        after - 2,
        before + 1,
        certificate,
        certificate + 9,
    ):
        digit = b"1" if sealed[place : place + 1] != b"1" else b"2"
        changed = sealed[:place] + digit + sealed[place + 1 :]
        assert verify_seal(changed, credentials.certificate) is SealState.MODIFIED
    lower = sealed[:before] + sealed[before:after].lower() + sealed[after:]
    assert verify_seal(lower, credentials.certificate) is SealState.MODIFIED


@pytest.mark.requirement("PT-030")
def test_what_is_added_or_cut_off_after_sealing_is_found(sealed, credentials):
    certificate = credentials.certificate
    assert verify_seal(sealed + b"\n", certificate) is SealState.MODIFIED
    assert verify_seal(sealed[:-1], certificate) is SealState.MODIFIED
    writer = IncrementalPdfFileWriter(io.BytesIO(sealed))
    writer.root["/Lang"] = sealing.PdfFileReader(io.BytesIO(sealed)).root["/Lang"]
    writer.update_root()
    out = io.BytesIO()
    writer.write(out)
    assert out.getvalue() != sealed
    assert verify_seal(out.getvalue(), certificate) is SealState.MODIFIED


@pytest.mark.requirement("PT-030")
def test_anothers_seal_is_not_ours(unsealed, sealed, credentials, tmp_path):
    serverkeys.create_missing(tmp_path)
    other = serverkeys.load_sealing(tmp_path)
    forged = seal_pdf(unsealed, other, **SAID)
    assert verify_seal(forged, credentials.certificate) is SealState.FOREIGN
    assert verify_seal(forged, [credentials.certificate, other.certificate]) is SealState.INTACT
    assert verify_seal(sealed, []) is SealState.FOREIGN


def test_what_cannot_be_sealed_is_said(sealed, credentials):
    with pytest.raises(SealError, match="already"):
        seal_pdf(sealed, credentials, **SAID)
    for broken in (b"", b"no PDF", sealed[:2000]):
        with pytest.raises(SealError):
            seal_pdf(broken, credentials, **SAID)


@pytest.mark.requirement("PT-030")
def test_sealing_and_verifying_need_no_network(unsealed, credentials, monkeypatch):
    def refused(*_args, **_kwargs):
        raise AssertionError("the network was asked for")

    monkeypatch.setattr("socket.socket.connect", refused)
    monkeypatch.setattr("socket.getaddrinfo", refused)
    pdf = seal_pdf(unsealed, credentials, **SAID)
    assert verify_seal(pdf, credentials.certificate) is SealState.INTACT
