"""Independent opinions: each gives their own, and nobody sees others' before they are disclosed."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from digital_review.models import AgendaItem, Meeting, Opinion, Outcome
from digital_review.models.reach import TAKE_PART
from digital_review.selectors.meeting_topics import room_topic
from digital_review.selectors.room import place_of
from portal.access.decision import require, visible
from portal.audit.services import record
from portal.live.services import publish
from portal.records.errors import Refused
from portal.records.services import locked, writes


@writes
def give_opinion(*, actor: Any, item_id: int, outcome_id: int, text: str = "") -> Opinion:
    """One's own opinion on a patient of a meeting. It may be changed until it is disclosed.

    After that a first one can still be given: it is shown as late, and counts for no agreement.
    The audit trail says that an opinion was given, never which. Refused: ``outcome``,
    ``disclosed``, ``over``, ``not_there``.
    """
    item = locked_item(actor, item_id)
    require(actor, TAKE_PART, item)
    outcome = Outcome.objects.filter(pk=outcome_id, review_type=item.meeting.review_type_id).first()
    if outcome is None:
        raise Refused(_("There is no such outcome of this review."), code="outcome")
    opinion = Opinion.objects.filter(item=item, person=actor).first()
    if opinion is not None and item.disclosed_at is not None:
        raise Refused(_("The opinions are shown already: yours stays."), code="disclosed")
    opinion = opinion or Opinion(item=item, person=actor)
    opinion.outcome, opinion.text = outcome, text.strip()
    opinion.given_at = timezone.now()
    opinion.save()
    record("digital_review.opinion_given", item, data={"late": item.disclosed_at is not None})
    publish(room_topic(item.meeting_id), "opinion", item.pk)
    return opinion


@writes
def disclose_opinions(*, actor: Any, item_id: int) -> AgendaItem:
    """The chairman shows everybody's opinions on a patient; nothing changes in them any more."""
    item = locked_item(actor, item_id)
    must_lead(actor, item.meeting)
    if item.disclosed_at is None:
        item.disclosed_at = timezone.now()
        item.save()
        given = Opinion.objects.filter(item=item).count()
        record("digital_review.opinions_disclosed", item, data={"opinions": given})
        publish(room_topic(item.meeting_id), "disclosed", item.pk)
    return item


@writes
def write_minority(*, actor: Any, item_id: int, text: str) -> AgendaItem:
    """What those say who do not agree: part of the minutes. By the chairman or who writes."""
    item = locked_item(actor, item_id)
    place = place_of(actor, item.meeting)
    if not (place.leads or place.holds_pen):
        raise Refused(_("The chairman or the secretary writes this."), code="not_writer")
    item.minority = text.strip()
    item.save()
    record("digital_review.minority_written", item)
    publish(room_topic(item.meeting_id), "minority", item.pk)
    return item


def locked_item(actor: Any, item_id: int) -> AgendaItem:
    """A patient of a planned or running meeting, for somebody in its room: locked, with the
    meeting, which is locked first."""
    item = visible(actor, AgendaItem.objects.all()).filter(pk=item_id).first()
    if item is None:
        raise Refused(_("This record does not exist (any more)."), code="gone")
    meeting = locked_meeting(actor, item.meeting_id)
    item = locked(AgendaItem.objects.select_related("case__review_type__unit"), item_id)
    item.meeting = meeting
    if item.status != AgendaItem.Status.TO_DISCUSS:
        raise Refused(_("This patient was discussed already."), code="over")
    return item


def locked_meeting(actor: Any, meeting_id: int) -> Meeting:
    """A planned or running meeting, locked, for somebody in its room."""
    found = visible(actor, Meeting.objects.select_related("review_type__unit"))
    meeting = locked(found, meeting_id)
    if not place_of(actor, meeting).is_there:
        raise Refused(_("You do not take part in this meeting."), code="not_there")
    if meeting.status not in (Meeting.Status.PLANNED, Meeting.Status.RUNNING):
        raise Refused(_("This meeting is over."), code="over")
    return meeting


def must_lead(actor: Any, meeting: Meeting) -> None:
    """Refused for everybody but the chairman and their deputy."""
    if not place_of(actor, meeting).leads:
        raise Refused(_("The chairman of the meeting does this."), code="not_chairman")
