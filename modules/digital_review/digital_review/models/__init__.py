"""The tables of Digital Review, a file an aggregate."""

from digital_review.models.cases import Anamnesis, Case, CaseForm, CasePassage, Letter, Patient
from digital_review.models.meetings import AgendaItem, Meeting, Opinion, Participant
from digital_review.models.review_types import FormSlot, Outcome, OutcomeSpecialist, ReviewType
from digital_review.models.slides import Slide

__all__ = [
    "AgendaItem",
    "Anamnesis",
    "Case",
    "CaseForm",
    "CasePassage",
    "FormSlot",
    "Letter",
    "Meeting",
    "Opinion",
    "Outcome",
    "OutcomeSpecialist",
    "Participant",
    "Patient",
    "ReviewType",
    "Slide",
]
