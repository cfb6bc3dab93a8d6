"""How the parts of review types are shown in their lists: columns and words."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from digital_review.forms import setup as forms
from digital_review.services import setup as rules
from portal.operations.setup.pages import Column, SetupPage

TOP = "digital_review:review_types"
_FORMS_STAY = _("Forms and cases that were begun stay as they are.")

TYPES = SetupPage(
    "types",
    rules.REVIEW_TYPES,
    form=forms.ReviewTypeForm,
    columns=(
        Column(_("Review type"), "name"),
        Column(_("Unit"), "unit"),
        Column(_("Flow"), "flow"),
        Column(_("Months between meetings"), "cadence_months", number=True),
    ),
    title=_("Review types"),
    lead=_("What is reviewed: each with its flow, its forms and its outcomes."),
    add=_("Add a review type"),
    empty=_("Design a flow and forms first, or install a review type that ships."),
    end_words=_("No case is begun in it any more."),
    order=("name",),
    top=TOP,
    note=_FORMS_STAY,
    related=("unit", "flow"),
    search=("name", "unit__name"),
    icon="microscope",
    own_page="digital_review:review_type",
)
SLOTS = SetupPage(
    "forms",
    rules.SLOTS,
    form=forms.SlotForm,
    columns=(
        Column(_("Form"), "title"),
        Column(_("Review type"), "review_type"),
        Column(_("Code"), "code"),
        Column(_("Filled in by"), "get_filled_by_display"),
        Column(_("Signed by"), "get_signed_by_display"),
        Column(_("Begins"), "get_begins_display"),
    ),
    title=_("Forms of review types"),
    lead=_("Which form is filled in by whom, and when it begins."),
    add=_("Add a form"),
    empty=_("Set up a review type first, then the forms that it uses."),
    end_words=_("The form is not begun any more."),
    order=("review_type__name", "order"),
    top=TOP,
    note=_FORMS_STAY,
    related=("review_type",),
    search=("title", "review_type__name"),
    icon="clipboard",
)
OUTCOMES = SetupPage(
    "outcomes",
    rules.OUTCOMES,
    form=forms.OutcomeForm,
    columns=(
        Column(_("Outcome"), "name"),
        Column(_("Review type"), "review_type"),
        Column(_("Code"), "code"),
        Column(_("A diagnosis"), "met"),
        Column(_("European panel"), "to_panel"),
    ),
    title=_("Outcomes"),
    lead=_("What a review can end in; each code is a choice of the form with the diagnosis."),
    add=_("Add an outcome"),
    empty=_("Set up a review type first, then what it can end in."),
    end_words=_("No review ends in it any more."),
    order=("review_type__name", "order"),
    top=TOP,
    related=("review_type",),
    search=("name", "review_type__name"),
    icon="check",
)
SPECIALISTS = SetupPage(
    "specialists",
    rules.SPECIALISTS,
    form=forms.SpecialistForm,
    columns=(
        Column(_("Person"), "person"),
        Column(_("Outcome"), "outcome"),
        Column(_("Review type"), "outcome.review_type"),
    ),
    title=_("Responsible specialists"),
    lead=_("Who signs the reviews that end in an outcome."),
    add=_("Name a specialist"),
    empty=_("As long as nobody is named, everybody who may sign central reviews is asked."),
    end_words=_("The person is not asked to sign for this outcome any more."),
    order=("outcome__review_type__name", "outcome__order", "person__name"),
    top=TOP,
    related=("person", "outcome__review_type"),
    search=("person__name", "outcome__name"),
    icon="users",
)
PAGES = (TYPES, SLOTS, OUTCOMES, SPECIALISTS)
