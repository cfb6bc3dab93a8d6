"""Opinions on a patient as one person may see them, and how far everybody agrees."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from digital_review.models import AgendaItem, Meeting, Opinion
from digital_review.rules.agreement import Agreement, cohen, fleiss
from digital_review.selectors.facts import standing_of, words_at
from portal.access.decision import visible
from portal.forms.selectors import true_answers


@dataclass(frozen=True)
class OpinionsSeen:
    mine: Opinion | None
    given: int
    """How many gave one: that, and nothing more, is told before they are disclosed."""
    shown: tuple[Opinion, ...]
    """Everybody's, once disclosed."""
    late: frozenset[int]
    """Keys of those first given after that: they count for no agreement."""
    agreement: Agreement | None


def opinions_on(user: Any, item: AgendaItem) -> OpinionsSeen:
    """Never another's opinion before it is disclosed, whoever asks."""
    seen = list(
        visible(user, Opinion.objects.filter(item=item)).select_related("person", "outcome")
    )
    mine = next((each for each in seen if each.person_id == user.pk), None)
    given = Opinion.objects.filter(item=item).count()
    if item.disclosed_at is None:
        return OpinionsSeen(mine, given, (), frozenset(), None)
    late = frozenset(each.pk for each in seen if is_late(each, item))
    counted = [each.outcome_id for each in seen if each.pk not in late]
    return OpinionsSeen(mine, given, tuple(seen), late, fleiss([counted]))


def is_late(opinion: Opinion, item: AgendaItem) -> bool:
    """First given when the others' could be seen already."""
    return item.disclosed_at is not None and opinion.given_at > item.disclosed_at


@dataclass(frozen=True)
class MeetingAgreement:
    between: Agreement
    """Of the participants with one another, before they saw each other's opinions."""
    local_central: Agreement
    """Of the local pathologist's diagnosis with that of the meeting."""


def agreement_of(user: Any, meeting: Meeting) -> MeetingAgreement:
    """Over the meeting's patients, as far as the person may see them."""
    items = visible(user, AgendaItem.objects.filter(meeting=meeting, disclosed_at__isnull=False))
    disclosed = {item.pk: item for item in items}
    opinions: dict[int, list[int]] = defaultdict(list)
    for opinion in Opinion.objects.filter(item__in=disclosed):
        if not is_late(opinion, disclosed[opinion.item_id]):
            opinions[opinion.item_id].append(opinion.outcome_id)
    return MeetingAgreement(fleiss(opinions.values()), cohen(_diagnoses(user, meeting)))


def _diagnoses(user: Any, meeting: Meeting) -> list[tuple[str, str]]:
    """The local and the central diagnosis of each patient discussed, where both are known.

    Both are answers of the case's forms; they are compared as the codes of the review's outcomes.
    """
    kind = meeting.review_type
    if not kind.local_diagnosis:
        return []
    found = []
    discussed = visible(user, AgendaItem.objects.filter(meeting=meeting, status="discussed"))
    for item in discussed.select_related("case__review_type", "form__form_version"):
        if item.form is None:
            continue
        local, _words = words_at(standing_of(item.case), kind.local_diagnosis)
        # of this meeting, whatever later rounds of the review come to
        central = true_answers(item.form).values.get(kind.diagnosis.partition(".")[2])
        if local and isinstance(central, str):
            found.append((local, central))
    return found
