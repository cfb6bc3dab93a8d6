"""The sentences for what is wrong with a review type, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from digital_review.rules.review_types import Open, Problem, Wrong
from portal.forms.fault_words import sentence_of

_SENTENCES: Mapping[Any, Any] = {
    Wrong.NO_FORMS: _("It has no forms yet."),
    Wrong.SLOT_CODE: _(
        "“%(code)s” of the form %(form)s cannot be a name in rules: a letter, then letters, digits"
        " and _, and not “case” or “outcome”."
    ),
    Wrong.FORM_UNPUBLISHED: _("No version of the form %(form)s is published."),
    Wrong.FLOW_UNPUBLISHED: _("No version of its flow is published."),
    Wrong.FACT_MISSING: _("The flow reads %(name)s, which none of its forms supplies."),
    Wrong.FACT_DIFFERS: _("The flow reads %(name)s as another kind of answer than the form has."),
    Wrong.NO_SUCH_ANSWER: _("A diagnosis is to be read at %(name)s, but no published form has it."),
    Wrong.NO_CHOICE: _("%(name)s must be a single choice, so that diagnoses can be compared."),
    Wrong.NOT_OF_MEETING: _(
        "The classifying diagnosis stands in %(form)s, which the meeting does not fill in."
    ),
    Wrong.NO_OUTCOMES: _("It has no outcome that is a diagnosis."),
    Wrong.CODE_WITHOUT_OUTCOME: _("“%(code)s” can be chosen at %(name)s, but is no outcome."),
    Wrong.OUTCOME_WITHOUT_CODE: _(
        "The outcome %(outcome)s has the code “%(code)s”, which cannot be chosen at %(name)s."
    ),
    Open.NOBODY_SIGNS: _("Nobody is named to sign reviews that end in %(outcome)s."),
    Open.NONE_UNMET: _("Every outcome is a diagnosis: no review can go on without one."),
}


def told(problem: Problem) -> str:
    """The sentence of a problem."""
    if problem.fault is not None:
        where = problem.facts.get("form", _("Flow"))
        return f"{where}: {sentence_of(problem.fault)}"
    return str(_SENTENCES[problem.code] % problem.facts)
