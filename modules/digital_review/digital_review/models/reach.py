"""How Digital Review's privileges reach its rows.

A role is held at a *review* (the unit that owns a review type: all of its cases) or at a
*hospital* (the cases of its own patients). Who fills in a hospital's forms sees those forms alone.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from portal.access.policies import AccessPolicy, AnyOf, ByUnit, Narrowed, Scope

SEE = "digital_review.see_reviews"
PERSONAL = "digital_review.see_personal_data"
SEE_FORMS = "digital_review.see_hospital_forms"
FILL = "digital_review.fill_hospital_forms"
SIGN_FORM = "digital_review.sign_hospital_forms"
BUREAU = "digital_review.start_forms"
ANAMNESIS = "digital_review.add_anamnesis"
PATHOLOGY = "digital_review.write_pathology"
TAKE_PART = "digital_review.take_part"
LEAD = "digital_review.lead_meetings"
MINUTES = "digital_review.keep_minutes"
SIGN_REVIEW = "digital_review.sign_reviews"
MANAGE = "digital_review.manage_reviews"
SET_UP = "digital_review.manage_review_types"

_OF_REVIEW = (BUREAU, PATHOLOGY, TAKE_PART, LEAD, MINUTES, MANAGE, SET_UP)
_OF_EITHER = (SEE, PERSONAL, ANAMNESIS, SIGN_REVIEW)
_OF_HOSPITAL = (SEE_FORMS, FILL, SIGN_FORM)


def _both(case: str) -> tuple[ByUnit, AnyOf]:
    at = f"{case}__" if case else ""
    review = ByUnit(f"{at}review_type__unit")
    return review, AnyOf((review, ByUnit(f"{at}patient__hospital")))


def case_policy(case: str, **more: str) -> AccessPolicy:
    """Of what belongs to a case, found by the lookup ``case`` ('' itself)."""
    review, either = _both(case)
    scopes: dict[str, Scope] = dict.fromkeys(_OF_REVIEW, review)
    scopes |= dict.fromkeys(_OF_EITHER, either)
    return AccessPolicy(view=(SEE,), scopes=scopes, personal=PERSONAL, **more)


def letter_policy() -> AccessPolicy:
    """Of letters: the doctors of the patient's hospital read those about their own patients."""
    hospital = ByUnit("case__patient__hospital")
    policy = case_policy("case")
    return AccessPolicy(
        view=(SEE, SIGN_FORM), scopes={**policy.scopes, SIGN_FORM: hospital}, personal=PERSONAL
    )


def form_policy() -> AccessPolicy:
    """Of the forms of a case: the hospital's own people see those that the hospital fills in."""
    review, either = _both("case")
    hospital = Narrowed(
        ByUnit("case__patient__hospital"),
        lambda _: Q(slot__filled_by="hospital"),
        lambda _, form: form.slot.filled_by == "hospital",
    )
    scopes: dict[str, Scope] = dict.fromkeys(_OF_REVIEW, review)
    scopes |= dict.fromkeys(_OF_EITHER, either)
    scopes |= dict.fromkeys(_OF_HOSPITAL, hospital)
    scopes[PERSONAL] = AnyOf((either, hospital))
    return AccessPolicy(view=(SEE, SEE_FORMS), scopes=scopes, personal=PERSONAL)


def _cases_of(field: str) -> Any:
    """Patients that have a case in a review of ``field``'s unit."""

    class ByCase:
        def q(self, held: Any, privilege: str) -> Q | None:
            from digital_review.models.cases import Case

            found = ByUnit(field).q(held, privilege)
            return None if found is None else Q(pk__in=Case.objects.filter(found).values("patient"))

        def reasons(self, held: Any, privilege: str, obj: Any) -> list[str]:
            scope = ByUnit(field)
            cases = obj.cases.filter(deleted_at__isnull=True).select_related("review_type__unit")
            return [line for case in cases for line in scope.reasons(held, privilege, case)]

    return ByCase()


def patient_policy() -> AccessPolicy:
    """A patient is seen where one of their cases is."""
    review = _cases_of("review_type__unit")
    either = AnyOf((review, ByUnit("hospital")))
    return AccessPolicy(
        view=(SEE,),
        scopes={SEE: either, PERSONAL: either, BUREAU: review, MANAGE: review},
        personal=PERSONAL,
    )


def review_policy(review_type: str, **more: str) -> AccessPolicy:
    """Of what belongs to a review type as a whole, found by the lookup ('' itself): meetings …"""
    review = ByUnit(f"{review_type}__unit" if review_type else "unit")
    return AccessPolicy(
        view=(SEE, SET_UP),
        scopes=dict.fromkeys((*_OF_REVIEW, SEE, SIGN_REVIEW), review),
        **more,
    )


def opinion_policy() -> AccessPolicy:
    """An opinion is its giver's alone until the opinions on this patient are disclosed (10)."""
    review, _either = _both("item__case")
    shown = Narrowed(
        review,
        lambda held: Q(item__disclosed_at__isnull=False) | Q(person=held.user.pk),
        lambda held, opinion: (
            opinion.item.disclosed_at is not None or opinion.person_id == held.user.pk
        ),
    )
    return AccessPolicy(
        view=(SEE,),
        scopes={SEE: shown, TAKE_PART: shown},
        sealed=lambda opinion: opinion.item.disclosed_at is None,
    )
