"""The release certificate says what kind of order it is of, how it was signed, and whether it may
be relied on."""

from __future__ import annotations

import pytest
from tracershop.models import Order, Release
from tracershop.services.certificates import certificate_data, issue_release_certificate
from tracershop.services.release import release_orders

from portal.records.context import ServiceActor
from portal.signing.services import State, printed, verify
from tests.portal.test_documents_pdf import pages
from tests.tracershop.factories import MONDAY, local, shop_world
from tests.tracershop.releasing import RELEASE_AT, accepted, make_vial, signer, wanted

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return shop_world()


def released(world, **values):
    order = accepted(world, **values)
    release_orders(
        actor=world.producer,
        requests=[wanted(order, make_vial(world), confirmed={"less_activity"})],
        signer=signer(world.producer),
        now=RELEASE_AT,
    )
    return Release.objects.get(order=order)


def text_of(release):
    document = issue_release_certificate(actor=ServiceActor("certificates"), release_id=release.pk)
    return " ".join(pages(bytes(document.pdf))).replace("\xa0", " ")


@pytest.mark.requirement("TS-083", "TS-086", "TS-042")
def test_the_certificate_of_a_moved_order_says_what_it_was_ordered_for(world):
    release = released(
        world,
        moved_from_slot=world.slot_a_late,
        moved_from_at=local(MONDAY, 11, 30),
        activity_mbq=300.0,
    )
    due_mbq = 300.0 * 2 ** (3.25 * 3600 / 6586.2)
    order = certificate_data(release)["order"]
    assert order["ordered_for"] == "23 Nov 2026 11:30"
    assert "".join(order["due_activity_mbq"].split()) == f"{due_mbq:.0f}"
    text = text_of(release)
    assert "Moved to an earlier delivery" in text
    assert "23 Nov 2026 11:30" in text
    assert verify(release.signature).state is State.VALID


@pytest.mark.requirement("TS-083", "TS-086")
def test_the_certificate_of_the_bare_isotope_says_so_and_another_does_not(world):
    assert "bare isotope" in text_of(released(world, kind=Order.Kind.ISOTOPE))
    plain = text_of(released(world))
    assert "bare isotope" not in plain
    assert "Moved" not in plain


@pytest.mark.requirement("TS-083", "PT-030")
def test_the_certificate_names_how_it_was_signed(world):
    release = released(world)
    assert printed(release.signature)["method"] == "signing PIN"
    assert "SIGNED WITH signing PIN" in text_of(release)
    release.signature.key.method = "passkey"
    assert printed(release.signature)["method"] == "passkey"


@pytest.mark.requirement("TS-086")
@pytest.mark.parametrize("clinical", [True, False])
def test_the_certificate_says_not_for_clinical_use_while_that_is_so(world, monkeypatch, clinical):
    monkeypatch.setattr("tracershop.services.printing.is_clinical", lambda label: clinical)
    assert ("NOT FOR CLINICAL USE" in text_of(released(world))) is not clinical
