"""What the set-up of Digital Review is tried on: a review type of a unit, and one of its people."""

from __future__ import annotations

from typing import Any

from digital_review.models import FormSlot, Outcome, OutcomeSpecialist, ReviewType

from portal.organisation.models import Membership, Unit
from tests.digital_review.factories import FLOW, PRE_CRF, publish_flow, publish_form
from tests.support.factories import give, make_user


def review_set_up(unit: Unit) -> dict[str, Any]:
    flow = publish_flow(unit, {**FLOW, "code": "set_up"})
    review_type = ReviewType.objects.create(
        unit=unit, code=f"set-up-{unit.pk}", name=f"Set up {unit}", flow=flow, diagnosis="crf.d"
    )
    slot = FormSlot.objects.create(
        review_type=review_type,
        code="precrf",
        title="Pre-CRF",
        design=publish_form(unit, {**PRE_CRF, "code": "set_up"}),
        filled_by="hospital",
        begins="start",
    )
    outcome = Outcome.objects.create(review_type=review_type, code="saa", name="SAA")
    signer = make_user(f"Signer of {unit}")
    person = make_user(f"External of {unit}", kind="external")
    Membership.objects.create(user=person, unit=unit)
    give(person, "digital_review.datamanager", unit)
    return {
        "review_type_set_up": review_type,
        "form_slot_set_up": slot,
        "outcome_set_up": outcome,
        "specialist_set_up": OutcomeSpecialist.objects.create(outcome=outcome, person=signer),
        "person_of_review": person,
    }
