"""Labels of vials: what they say, that a scanner reads their code, that a former one stays."""

from __future__ import annotations

import io

import pytest
import zxingcpp
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from PIL import Image
from tracershop.models import Batch, Order, QualityResult, QualityTest, Verdict, Vial
from tracershop.rules.labels import VialCode, read_vial_code
from tracershop.services.batch_records import batch_data, issue_batch_record
from tracershop.services.labels import (
    TEMPLATE,
    issue_labels,
    issue_vial_label,
    label_data,
    qr_rows,
)

from portal.audit.models import AccessEntry
from portal.documents import paper
from portal.documents.models import IssuedDocument
from portal.documents.rendering import render_png
from portal.records.errors import Refused
from tests.portal.test_documents_pdf import pages
from tests.tracershop.factories import MONDAY, local, make_order, shop_world
from tests.tracershop.releasing import LOT, accepted, make_vial

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return shop_world()


def allocated(world, vials=1, **values):
    order = accepted(world, **values)
    return order, [make_vial(world, order=order) for _ in range(vials)]


def pictures(order, vials, monkeypatch):
    """The label's pages as a label printer of 300 dpi draws them."""
    monkeypatch.setattr("portal.documents.rendering._PIXELS_PER_INCH", 300)
    whole = paper.complete(
        label_data(order, vials), title="Vial labels", number="VL-1", revision=1,
        issued_at=timezone.now(),
    )  # fmt: skip
    return [Image.open(io.BytesIO(png)).convert("L") for png in render_png(TEMPLATE, whole)]


@pytest.mark.requirement("TS-086")
@pytest.mark.parametrize("use", ["human", "animal"])
def test_a_scanner_reads_which_vial_a_label_is_of(world, monkeypatch, use):
    order, vials = allocated(world, vials=3, intended_use=use)
    drawn = pictures(order, vials, monkeypatch)
    assert len(drawn) == 3
    for vial, picture in zip(vials, drawn, strict=True):
        assert picture.size == (732, 343)  # 62 × 29 mm
        for turned in (picture, picture.rotate(180), picture.rotate(90, expand=True)):
            (found,) = zxingcpp.read_barcodes(turned)
            assert found.format is zxingcpp.BarcodeFormat.QRCode
            assert read_vial_code(found.text) == VialCode(vial.pk, LOT)


@pytest.mark.parametrize(
    "text", ["TSV:1:A-261123-1", f"TSV:{10**12}:PREFIX-OF-A-LONG-LOT-261123-99"]
)
def test_the_code_is_drawn_as_the_standard_has_it(text):
    rows = qr_rows(text)
    quiet = 4
    size = len(rows) + 2 * quiet
    picture = Image.new("L", (size, size), 255)
    for y, row in enumerate(rows):
        for x, module in enumerate(row):
            if module == "#":
                picture.putpixel((x + quiet, y + quiet), 0)
    (found,) = zxingcpp.read_barcodes(
        picture.resize((size * 6, size * 6), Image.Resampling.NEAREST)
    )
    assert found.text == text


@pytest.mark.requirement("TS-083", "TS-086")
@pytest.mark.parametrize(
    ("use", "words"), [("human", "HUMAN USE"), ("other", "PRECLINICAL USE · NOT FOR HUMANS")]
)
def test_a_label_says_what_is_in_the_vial_and_for_whom(world, use, words):
    order, (vial,) = allocated(world, intended_use=use)
    document = issue_vial_label(actor=world.producer, vial_id=vial.pk)
    (text,) = pages(bytes(document.pdf))
    passed_s = (order.deliver_at - vial.filled_at).total_seconds()
    at_delivery = 2400.0 * 2 ** (-passed_s / 6586.2)
    for part in (
        "FDG",
        "F-18",
        f"Lot {LOT}",
        f"Vial {vial.pk}",
        f"{at_delivery:,.0f}".replace(",", " ") + " MBq",
        "23 Nov 2026 08:15",
        "3.50 ml",
        "Use before 23 Nov 2026 16:50",
        "Nordby PET",
        "Nordby Hospital",
        words,
    ):
        assert part.replace(" ", "") in text.replace("\xa0", "").replace(" ", ""), part
    assert ("NOT FOR HUMANS" in text) == (use != "human")


@pytest.mark.requirement("TS-086")
def test_printing_again_is_the_same_label_and_a_change_is_the_next_version(world):
    _order, (vial,) = allocated(world)
    first = issue_vial_label(actor=world.producer, vial_id=vial.pk)
    before = bytes(first.pdf)
    assert issue_vial_label(actor=world.producer, vial_id=vial.pk).pk == first.pk
    vial.volume_ml = 3.4
    vial.save()
    second = issue_vial_label(actor=world.producer, vial_id=vial.pk)
    assert (first.number, second.number) == (f"VL-{vial.pk}", f"VL-{vial.pk}-r2")
    kept = IssuedDocument.objects.get(pk=first.pk)
    assert bytes(kept.pdf) == before
    assert kept.supersession.reason
    printed = AccessEntry.objects.filter(action="print", object_type="documents.issueddocument")
    assert [entry.actor_id for entry in printed] == [world.producer.pk] * 3


def test_a_vial_that_serves_no_order_gets_no_label(world):
    free = make_vial(world)
    with pytest.raises(Refused) as refused:
        issue_vial_label(actor=world.producer, vial_id=free.pk)
    assert refused.value.code == "no_order"
    with pytest.raises(Refused) as refused:
        issue_labels(actor=world.producer, order_id=accepted(world).pk)
    assert refused.value.code == "no_order"
    order = make_order(world)
    make_vial(world, order=order)
    with pytest.raises(Refused) as refused:
        issue_labels(actor=world.producer, order_id=order.pk)
    assert refused.value.code == "wrong_status"


@pytest.mark.requirement("TS-006")
def test_a_shop_prints_no_labels_and_another_shop_knows_of_no_vial(world):
    order, (vial,) = allocated(world)
    with pytest.raises(PermissionDenied):
        issue_vial_label(actor=world.secretary, vial_id=vial.pk)
    with pytest.raises(Refused, match="does not exist"):
        issue_vial_label(actor=world.other_secretary, vial_id=vial.pk)
    assert IssuedDocument.objects.count() == 0
    assert Vial.objects.get(pk=vial.pk).order == order


# --- the record of a batch --------------------------------------------------------------------


@pytest.mark.requirement("TS-046", "TS-086")
def test_the_record_of_a_batch_says_its_tests_its_verdicts_and_where_it_went(world):
    order, _vials = allocated(world, vials=2, status=Order.Status.RELEASED)
    batch = Batch.objects.create(
        lot=LOT,
        tracer=world.fdg,
        status="conditionally_released",
        calibrated_at=local(MONDAY, 6, 40),
        activity_mbq=118_000,
        volume_ml=22.5,
    )
    for place, (name, unit, low, high, value) in enumerate(
        [("pH", "", 4.5, 8.5, 7.0), ("Purity", "%", 95, None, 98.6), ("Sterility", "", *[None] * 3)]
    ):
        test = QualityTest.objects.create(
            tracer=world.fdg, name=name, unit=unit, lower_limit=low, upper_limit=high, order=place
        )
        if value:
            QualityResult.objects.create(
                batch=batch, test=test, value=value, lower_limit=low, upper_limit=high,
                passed=True, tested_by=world.producer,
            )  # fmt: skip
    Verdict.objects.create(
        batch=batch, status="conditionally_released", reason="All but sterility",
        given_by=world.producer,
    )  # fmt: skip
    data = batch_data(batch)
    assert [(each["result"], each["limits"]) for each in data["results"]] == [
        ("7", "4.5 – 8.5"),
        ("98.6 %", "≥ 95 %"),
    ]
    assert data["missing"] == ["Sterility"]
    assert [(each["number"], each["vials"]) for each in data["orders"]] == [(str(order.pk), "2")]
    document = issue_batch_record(actor=world.producer, batch_id=batch.pk)
    (text,) = pages(bytes(document.pdf))
    for part in ("CONDITIONALLY RELEASED", LOT, "118 000 MBq", "All but sterility", "Nordby PET"):
        assert part.replace(" ", "") in text.replace("\xa0", "").replace(" ", ""), part
    assert issue_batch_record(actor=world.producer, batch_id=batch.pk).pk == document.pk


def test_a_batch_of_which_nothing_is_known_yet_has_a_record_that_says_so(world):
    batch = Batch.objects.create(lot=LOT, tracer=world.fdg)
    document = issue_batch_record(actor=world.producer, batch_id=batch.pk)
    (text,) = pages(bytes(document.pdf))
    assert "QUARANTINE" in text
    assert "No result is recorded." in text
    assert "No verdict is signed." in text
    with pytest.raises(PermissionDenied):
        issue_batch_record(actor=world.secretary, batch_id=batch.pk)
