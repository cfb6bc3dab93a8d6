"""The meeting while it runs: what is on the table, who writes, what was decided (DR-060, Sc 4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from digital_review.models import AgendaItem, Case, CaseForm, FormSlot, Meeting
from digital_review.selectors.meeting_topics import announce_meeting, minutes_topic, room_topic
from digital_review.selectors.room import minute_keeper, place_of
from digital_review.services.case_forms import RULES
from digital_review.services.opening import open_form
from digital_review.services.opinions import locked_item, locked_meeting, must_lead
from portal.audit.services import record
from portal.forms.models import UnsavedInput
from portal.forms.services import sheets
from portal.live.services import publish
from portal.records.errors import Refused
from portal.records.services import change_many, locked, writes

EARLIEST = timedelta(hours=12)
"""A meeting is not opened by mistake months before it is held."""


@writes
def start_meeting(*, actor: Any, meeting_id: int) -> Meeting:
    """Open the room: by the chairman or their deputy. Refused: ``early``, ``running``."""
    meeting = locked_meeting(actor, meeting_id)
    must_lead(actor, meeting)
    if meeting.status == Meeting.Status.RUNNING:
        raise Refused(_("The meeting runs already."), code="running")
    now = timezone.now()
    if meeting.starts_at - now > EARLIEST:
        raise Refused(_("The meeting is not today."), code="early")
    meeting.status, meeting.started_at = Meeting.Status.RUNNING, now
    meeting.writer = minute_keeper(meeting)
    meeting.save()
    record("digital_review.meeting_started", meeting, data={"writer": str(meeting.writer)})
    announce_meeting(meeting, "started")
    return meeting


@writes
def show_patient(*, actor: Any, meeting_id: int, item_id: int) -> AgendaItem:
    """Put a patient of the list on the table. What was written of the one before is saved; the
    form of the central review begins with what is known already. Refused: ``gone``."""
    meeting = _running(actor, meeting_id)
    must_lead(actor, meeting)
    item = (
        AgendaItem.objects.filter(meeting=meeting, pk=item_id)
        .select_related("case__review_type__unit")
        .first()
    )
    if item is None:
        raise Refused(_("This record does not exist (any more)."), code="gone")
    if meeting.shown_id != item.pk:
        _save_written(meeting)
    if item.status == AgendaItem.Status.TO_DISCUSS and item.form_id is None:
        item.form = _begin_minutes(actor, item)
        item.save()
    if not meeting.opinions_first and item.disclosed_at is None:
        item.disclosed_at = timezone.now()
        item.save()
    if meeting.shown_id != item.pk:
        meeting.shown = item
        meeting.save()
        record("digital_review.patient_shown", item.case, data={"meeting": str(meeting)})
        publish(room_topic(meeting.pk), "shown", item.pk)
    return item


def _begin_minutes(actor: Any, item: AgendaItem) -> CaseForm:
    """The form that the meeting writes, with what the other forms say already (C5-C8)."""
    slot = (
        FormSlot.objects.filter(
            review_type=item.meeting.review_type_id, filled_by=FormSlot.FilledBy.MEETING
        )
        .order_by("order", "pk")
        .first()
    )
    if slot is None:
        raise Refused(_("This review has no form that the meeting writes."), code="no_form")
    cases = Case.objects.select_related("review_type__unit", "patient__hospital")
    case = locked(cases, item.case_id)
    return open_form(actor=actor, case=case, slot=slot)


# --- the pen ---------------------------------------------------------------------------------


@writes
def take_pen(*, actor: Any, meeting_id: int) -> Meeting:
    """Write the minutes from now on: the chairman, or whoever keeps the minutes.

    What the former writer typed and did not save goes over with the pen, half a word included.
    Refused (``not_writer``) where the chairman has it and has not given it back.
    """
    meeting = _running(actor, meeting_id)
    place = place_of(actor, meeting)
    chairman_has_it = meeting.writer is not None and place_of(meeting.writer, meeting).leads
    if not (place.leads or (place.keeps_minutes and not chairman_has_it)):
        raise Refused(_("The chairman or the secretary writes the minutes."), code="not_writer")
    return _hand_over(meeting, actor)


@writes
def give_pen(*, actor: Any, meeting_id: int) -> Meeting:
    """Back to who keeps the minutes: by the one who has it, or the chairman."""
    meeting = _running(actor, meeting_id)
    place = place_of(actor, meeting)
    if not (place.leads or place.holds_pen):
        raise Refused(_("You do not have the pen."), code="not_writer")
    return _hand_over(meeting, minute_keeper(meeting))


def _hand_over(meeting: Meeting, person: Any) -> Meeting:
    former, form = meeting.writer, meeting.shown.form if meeting.shown else None
    if former == person:
        return meeting
    if former is not None and form is not None:
        _move_unsaved(form, former, person)
    meeting.writer = person
    meeting.save()
    record("digital_review.pen_taken", meeting, data={"from": str(former), "to": str(person)})
    publish(room_topic(meeting.pk), "pen", person.pk)
    if form is not None:
        publish(minutes_topic(form.pk), "pen", form.pk)
    return meeting


def _move_unsaved(form: CaseForm, former: Any, person: Any) -> None:
    """With the pen goes what was typed; what the new writer had typed themselves is older."""
    theirs = _unsaved(form).filter(person=former).select_for_update(no_key=True).first()
    if theirs is None:
        return
    _unsaved(form).filter(person=person).delete()
    theirs.person = person
    # the new writer's page numbers its own changes, which begin at any moment after this one
    theirs.sequence = -1
    theirs.save()


def _unsaved(form: CaseForm) -> Any:
    return UnsavedInput.objects.filter(sheet_type=form._meta.label_lower, sheet_id=form.pk)  # noqa: SLF001


# --- writing -----------------------------------------------------------------------------------


@writes
def write_minutes(
    *, actor: Any, item_id: int, typed: Mapping[str, str], opened_version: int, sequence: int
) -> sheets.Kept:
    """Keep what the writer typed a moment ago, and let everybody see it (DR-060).

    Refused (``no_pen``) for who does not hold the pen, ``not_shown`` for another patient.
    """
    item = _on_table(actor, item_id)
    return sheets.keep_typed(
        MINUTES,
        actor=actor,
        sheet_id=item.form_id or 0,
        typed=typed,
        opened_version=opened_version,
        sequence=sequence,
    )


def _on_table(actor: Any, item_id: int) -> AgendaItem:
    item = locked_item(actor, item_id)
    if not place_of(actor, item.meeting).holds_pen:
        raise Refused(
            _("%(name)s has the pen: what you type is not taken in.")
            % {"name": item.meeting.writer},
            code="no_pen",
        )
    if item.meeting.shown_id != item.pk or item.form is None:
        raise Refused(_("Another patient is on the table now."), code="not_shown")
    return item


def _save_written(meeting: Meeting, *, must: bool = False) -> None:
    """Save what the writer typed about the patient on the table, as theirs.

    What cannot be read stays as it was typed, with its writer; where it ``must`` be saved, that
    is refused (BadAnswers).
    """
    form = meeting.shown.form if meeting.shown else None
    if form is None or meeting.writer is None or form.status != CaseForm.Status.DRAFT:
        return
    unsaved = _unsaved(form).filter(person=meeting.writer).first()
    if unsaved is None or not unsaved.typed:
        return
    try:
        with transaction.atomic():
            sheets.save_sheet(
                MINUTES,
                actor=meeting.writer,
                sheet_id=form.pk,
                typed=unsaved.typed,
                opened_version=unsaved.opened_version,
            )
    except (sheets.BadAnswers, sheets.StaleAnswers):
        if must:
            raise


def _may_write(actor: Any, form: CaseForm) -> None:
    """Who holds the pen, or leads, while the patient is on the table."""
    # a patient who was postponed comes back on another list with the same form
    shown = AgendaItem.objects.filter(form=form, meeting__shown=F("pk"))
    item = shown.select_related("meeting__review_type__unit").first()
    if item is None:
        raise Refused(_("The minutes are written at the meeting."), code="not_shown")
    place = place_of(actor, item.meeting)
    if not (place.holds_pen or place.leads):
        raise Refused(_("The chairman or the secretary writes the minutes."), code="not_writer")


MINUTES = replace(RULES, require_fill=_may_write, topic=lambda form: minutes_topic(form.pk))
"""The form of the central review, as the meeting writes it."""


# --- the end of a patient, and of the meeting ----------------------------------------------------


@writes
def finish_patient(*, actor: Any, item_id: int, confirmed: Collection[str] = ()) -> AgendaItem:
    """The patient was discussed: what was written is saved and completed, and the flow goes on.

    Raises BadAnswers or NotComplete with what is in the way; then nothing is changed.
    """
    item = locked_item(actor, item_id)
    if item.meeting.shown_id != item.pk or item.form is None:
        raise Refused(_("Another patient is on the table now."), code="not_shown")
    _may_write(actor, item.form)
    _save_written(item.meeting, must=True)
    form = CaseForm.objects.get(pk=item.form.pk)
    sheets.complete_sheet(
        MINUTES, actor=actor, sheet_id=form.pk, version=form.version, confirmed=confirmed
    )
    item.status, item.discussed_at = AgendaItem.Status.DISCUSSED, timezone.now()
    item.save()
    record("digital_review.patient_discussed", item.case, data={"meeting": str(item.meeting)})
    announce_meeting(item.meeting, "discussed")
    return item


@writes
def postpone_patient(*, actor: Any, item_id: int, reason: str) -> AgendaItem:
    """Not today: the patient belongs on the next list. What was written stays a draft."""
    item = locked_item(actor, item_id)
    must_lead(actor, item.meeting)
    if not reason.strip():
        raise Refused(_("Postponing a patient needs a reason."), code="reason_needed")
    if item.meeting.shown_id == item.pk:
        _save_written(item.meeting)
    item.status = AgendaItem.Status.POSTPONED
    item.save()
    record("digital_review.patient_postponed", item.case, data={"meeting": str(item.meeting)})
    announce_meeting(item.meeting, "postponed")
    return item


@writes
def end_meeting(*, actor: Any, meeting_id: int) -> Meeting:
    """The meeting is over. Whom it did not reach stays for the next list; the findings wait for
    their signatures, of which each signer was told as they were completed (DR-061)."""
    meeting = _running(actor, meeting_id)
    must_lead(actor, meeting)
    _save_written(meeting)
    waiting = AgendaItem.objects.filter(meeting=meeting, status=AgendaItem.Status.TO_DISCUSS)
    left = change_many(waiting.select_for_update(no_key=True), status=AgendaItem.Status.POSTPONED)
    meeting.status, meeting.ended_at = Meeting.Status.HELD, timezone.now()
    meeting.shown = meeting.writer = None
    meeting.save()
    discussed = AgendaItem.objects.filter(
        meeting=meeting, status=AgendaItem.Status.DISCUSSED
    ).count()
    record("digital_review.meeting_ended", meeting, data={"discussed": discussed, "left": left})
    announce_meeting(meeting, "ended")
    return meeting


def _running(actor: Any, meeting_id: int) -> Meeting:
    meeting = locked_meeting(actor, meeting_id)
    if meeting.status != Meeting.Status.RUNNING:
        raise Refused(_("The meeting has not begun."), code="not_running")
    return meeting
