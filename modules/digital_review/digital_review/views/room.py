"""The meeting room: its page, and the parts that change while the meeting runs (DR-060)."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_GET, require_POST, require_safe

from digital_review.models import AgendaItem, CaseForm, Meeting, Outcome
from digital_review.models.reach import TAKE_PART
from digital_review.selectors.meeting_topics import minutes_topic, room_topic
from digital_review.selectors.meetings import invited, items_of, readiness, slots_of
from digital_review.selectors.minutes import written_html
from digital_review.selectors.opinions import opinions_on
from digital_review.selectors.room import Place, note_leaving, note_presence, place_of, present
from digital_review.views.meetings import seen_meeting
from digital_review.views.minutes import MINUTES_PAGE
from portal.access.decision import can, visible
from portal.audit.services import Access, log_access
from portal.live.services import publish

NOTHING_NEW = HttpResponse(status=204).status_code


@require_GET
def room(request: HttpRequest, pk: int) -> HttpResponse:
    """The whole page. ``?item=`` shows a patient whom one chose oneself; without it one follows
    the chairman."""
    meeting, place = entered(request, pk)
    log_access(Access.OPEN, meeting, data={"view": "room"})
    chosen = _chosen(request)
    context = {
        "meeting": meeting,
        "place": place,
        "chosen": chosen,
        **_agenda(request, meeting, place, chosen),
        **_patient(request, meeting, place, chosen),
        **_minutes(request, meeting, place),
        **_people(meeting),
    }
    return render(request, "digital_review/room/room.html", context)


@require_GET
def agenda(request: HttpRequest, pk: int) -> HttpResponse:
    meeting, place = entered(request, pk)
    context = _agenda(request, meeting, place, _chosen(request))
    return render(request, "digital_review/room/_agenda.html", context)


@require_GET
def patient(request: HttpRequest, pk: int) -> HttpResponse:
    """The patient in the middle. Nothing (204) while it is still the one that the page ``has``."""
    meeting, place = entered(request, pk)
    context = _patient(request, meeting, place, _chosen(request))
    if request.GET.get("has") == context["has_patient"]:
        return HttpResponse(status=NOTHING_NEW)
    return render(request, "digital_review/room/_patient.html", context)


@require_GET
def follow(request: HttpRequest, pk: int) -> HttpResponse:
    """What the chairman shows, told beside what one chose oneself."""
    meeting, _place = entered(request, pk)
    context = _follow(request, meeting, _chosen(request))
    return render(request, "digital_review/room/_follow.html", context)


@require_GET
def minutes(request: HttpRequest, pk: int) -> HttpResponse:
    """The minutes on the right: to write in for who holds the pen, to watch for the others.

    Nothing (204) while that is as the page ``has`` it: nothing moves under the writer's hands.
    """
    meeting, place = entered(request, pk)
    context = _minutes(request, meeting, place)
    if request.GET.get("has") == context["has_minutes"]:
        return HttpResponse(status=NOTHING_NEW)
    return render(request, "digital_review/room/_minutes.html", context)


@require_safe
def written(request: HttpRequest, pk: int) -> HttpResponse:
    """What was written of a patient so far: asked for by everybody at every few keystrokes."""
    items = visible(request.user, AgendaItem.objects.all()).select_related(
        "meeting__review_type__unit", "form__form_version", "form__slot",
        "form__case__patient__hospital", "form__case__review_type__unit",
    )  # fmt: skip
    item = get_object_or_404(items, pk=pk, form__isnull=False)
    if not place_of(request.user, item.meeting).is_there:
        raise PermissionDenied
    return HttpResponse(written_html(item, item.form))


@require_GET
def opinions(request: HttpRequest, pk: int) -> HttpResponse:
    """One's own opinion on a patient, how many gave theirs; everybody's once disclosed."""
    item, place = entered_item(request, pk)
    context = _opinions(request, item, place)
    return render(request, "digital_review/room/_opinions.html", context)


@require_GET
def form(request: HttpRequest, pk: int, form_pk: int) -> HttpResponse:
    """One form of a patient of the meeting, to read: each is loaded by itself (DR-043)."""
    item, _place = entered_item(request, pk)
    forms = visible(request.user, CaseForm.objects.filter(case=item.case_id))
    found = get_object_or_404(
        forms.select_related("form_version__design", "slot", "case__patient"), pk=form_pk
    )
    log_access(Access.OPEN, found)
    context = {"page": MINUTES_PAGE.read(found), "form": found, "item": item}
    return render(request, "digital_review/room/_form.html", context)


@require_POST
def here(request: HttpRequest, pk: int) -> HttpResponse:
    """Heard every 20 s of everybody in the room; answers who is there. ``gone``: they leave."""
    meeting, _place = entered(request, pk)
    person = int(request.user.pk or 0)
    if "gone" in request.POST:
        note_leaving(pk, person)
        publish(room_topic(pk), "presence", person)
        return HttpResponse(status=NOTHING_NEW)
    if note_presence(pk, person):
        publish(room_topic(pk), "presence", person)
    return render(request, "digital_review/room/_people.html", _people(meeting))


# --- what the parts show -------------------------------------------------------------------------


def entered(request: HttpRequest, pk: int) -> tuple[Meeting, Place]:
    """The meeting, for who takes part in it."""
    meeting = seen_meeting(request, pk)
    place = place_of(request.user, meeting)
    if not place.is_there:
        raise PermissionDenied
    return meeting, place


def entered_item(request: HttpRequest, pk: int) -> tuple[AgendaItem, Place]:
    items = visible(request.user, AgendaItem.objects.all()).select_related(
        "meeting__review_type__unit", "case__patient", "case__review_type__unit"
    )
    item = get_object_or_404(items, pk=pk)
    place = place_of(request.user, item.meeting)
    if not place.is_there:
        raise PermissionDenied
    return item, place


def _chosen(request: HttpRequest) -> int | None:
    text = request.GET.get("item", "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _agenda(
    request: HttpRequest, meeting: Meeting, place: Place, chosen: int | None
) -> dict[str, Any]:
    return {
        "meeting": meeting,
        "place": place,
        "chosen": chosen,
        "items": list(items_of(request.user, meeting)),
        "topic": room_topic(meeting.pk),
    }


def _patient(
    request: HttpRequest, meeting: Meeting, place: Place, chosen: int | None
) -> dict[str, Any]:
    """The patient whom one chose, else the one whom the chairman shows."""
    items = items_of(request.user, meeting)
    item = items.filter(pk=chosen or meeting.shown_id or 0).first()
    if chosen and item is None:
        raise Http404
    forms = []
    if item is not None:
        log_access(Access.OPEN, item.case, data={"view": "room"})
        readable = visible(request.user, CaseForm.objects.filter(case=item.case_id))
        forms = list(
            readable.exclude(pk=item.form_id)
            .select_related("slot")
            .order_by("slot__order", "number")
        )
    following = chosen is None
    return {
        "meeting": meeting,
        "place": place,
        "chosen": chosen,
        "item": item,
        "forms": forms,
        "ready": readiness(item.case, slots_of(meeting.review_type_id)) if item else None,
        "has_patient": f"{item.pk}.{item.status}.{following}" if item else "-",
        "topic": room_topic(meeting.pk),
        **_follow(request, meeting, chosen),
        **(_opinions(request, item, place) if item else {}),
    }


def _follow(request: HttpRequest, meeting: Meeting, chosen: int | None) -> dict[str, Any]:
    shown = items_of(request.user, meeting).filter(pk=meeting.shown_id or 0).first()
    return {
        "meeting": meeting,
        "chosen": chosen,
        "following": chosen is None,
        "shown_item": shown,
        "topic": room_topic(meeting.pk),
    }


def _opinions(request: HttpRequest, item: AgendaItem, place: Place) -> dict[str, Any]:
    outcomes = Outcome.objects.filter(review_type=item.meeting.review_type_id)
    return {
        "item": item,
        "meeting": item.meeting,
        "place": place,
        "opinions": opinions_on(request.user, item),
        "outcomes": outcomes.order_by("order", "pk"),
        "may_opine": can(request.user, TAKE_PART, item) and item.status == "to_discuss",
        "topic": room_topic(item.meeting_id),
    }


def _minutes(request: HttpRequest, meeting: Meeting, place: Place) -> dict[str, Any]:
    """The form of the patient on the table, however one browses oneself."""
    items = visible(request.user, AgendaItem.objects.filter(pk=meeting.shown_id)).select_related(
        "case__patient__hospital", "case__review_type__unit", "form__form_version", "form__slot",
        "meeting__review_type__unit", "meeting__writer",
    )  # fmt: skip
    item = items.first()
    form = item.form if item else None
    writes = False
    if form is not None and item is not None and item.status == "to_discuss":
        writes = place.holds_pen and form.status == "draft"
    context: dict[str, Any] = {
        "meeting": meeting,
        "place": place,
        "minutes_item": item,
        "minutes_form": form,
        "writes": writes,
        "minutes_topic": minutes_topic(form.pk) if form else "",
        "has_minutes": ".".join(
            str(each)
            for each in (
                form.pk if form else 0,
                form.status if form else "",
                item.status if item else "",
                meeting.writer_id or 0,
            )
        ),
        "topic": room_topic(meeting.pk),
    }
    if form and item:
        form.case = item.case
        if writes:
            context["filling"] = MINUTES_PAGE.filling(request.user, form)
            context["opened_version"] = context["filling"].opened_version(form)
        else:
            context["written"] = mark_safe(written_html(item, form))
    return context


def _people(meeting: Meeting) -> dict[str, Any]:
    people = invited(meeting)
    there = present(meeting.pk, people)
    return {
        "meeting": meeting,
        "people": [
            {"person": each, "here": each.pk in there, "writes": each.pk == meeting.writer_id}
            for each in people
        ],
        "topic": room_topic(meeting.pk),
    }
