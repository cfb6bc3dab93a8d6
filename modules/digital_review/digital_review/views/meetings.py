"""Meetings: the lists, one meeting, planning and changing it (DR-033, DR-050 to DR-052)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from digital_review.forms.meetings import DeputyForm, InviteForm, MeetingForm
from digital_review.models import Meeting, Participant, ReviewType
from digital_review.models.reach import MANAGE, SEE, SIGN_REVIEW
from digital_review.selectors.form_marks import marks_of
from digital_review.selectors.meeting_topics import MEETINGS, meeting_topic
from digital_review.selectors.meetings import (
    OFFICES,
    PART_NEEDS,
    coming,
    deadlines,
    eligible,
    future,
    in_review,
    items_of,
    meetings_seen,
    past,
    people_at,
    readiness,
    slots_of,
    specialists_of,
    usual_next,
)
from digital_review.selectors.room import place_of
from digital_review.services import meetings as services
from portal.access.acts import ask
from portal.access.decision import can, require, visible
from portal.access.forms import ReasonForm
from portal.audit.services import Access, log_access
from portal.records.errors import Refused

PAGE_SIZE = 25
TABS: dict[str, Callable[[Any], Any]] = {
    "coming": coming,
    "in_review": in_review,
    "future": future,
    "past": past,
}


@require_GET
def meetings(request: HttpRequest) -> HttpResponse:
    """Next meetings, those being prepared, those to come, past ones."""
    require(request.user, SEE)
    tab = request.GET.get("tab", "")
    tab = tab if tab in TABS else "coming"
    page = Paginator(TABS[tab](request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "tab": tab,
        "page": page,
        "may_plan": visible(request.user, ReviewType.objects.all(), MANAGE).exists(),
        "topic": MEETINGS,
        "now": timezone.now(),
    }
    name = "_meetings.html" if request.htmx else "meetings.html"  # type: ignore[attr-defined]
    return render(request, f"digital_review/meetings/{name}", context)


@require_GET
def meeting(request: HttpRequest, pk: int) -> HttpResponse:
    """The meeting, its list with how complete everything is, and its people."""
    found = seen_meeting(request, pk)
    log_access(Access.OPEN, found)
    manages = can(request.user, MANAGE, found)
    slots = slots_of(found.review_type_id)
    context = {
        "meeting": found,
        "place": place_of(request.user, found),
        "rows": [
            {
                "item": item,
                "ready": readiness(item.case, slots),
                "marks": marks_of(slots, item.case.forms.all()),
            }
            for item in items_of(request.user, found)
        ],
        "participants": Participant.objects.filter(meeting=found).select_related(
            "person", "deputises_for"
        ),
        "deadlines": deadlines(found),
        "manages": manages,
        "open": found.status in ("planned", "running"),
        "eligible": eligible(request.user, found.review_type_id)
        if manages and found.status == "planned"
        else [],
        "specialists": manages and specialists_of(found.review_type_id),
        "topic": meeting_topic(found.pk),
    }
    name = "_meeting.html" if request.htmx else "meeting.html"  # type: ignore[attr-defined]
    return render(request, f"digital_review/meetings/{name}", context)


@require_http_methods(["GET", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    """Plan a meeting; the address may name the review type."""
    require(request.user, MANAGE)
    kinds = list(visible(request.user, ReviewType.objects.order_by("name"), MANAGE))
    chosen = request.GET.get("type", "")
    kind = kinds[0] if len(kinds) == 1 else next((k for k in kinds if str(k.pk) == chosen), None)
    if kind is None:
        return render(request, "digital_review/meetings/which.html", {"kinds": kinds})
    form = MeetingForm(request.POST or None, review_type=kind, usual=usual_next(kind))
    if request.method == "POST" and form.is_valid():
        try:
            made = services.plan_meeting(
                actor=request.user,
                review_type_id=kind.pk,
                data=form.data_given(),
                participant_ids=form.participant_ids(),
            )
        except Refused as refusal:
            form.add_error(None, str(refusal.message))
        else:
            messages.success(request, _("The meeting is planned; everybody concerned is told."))
            return redirect("digital_review:meeting", made.pk)
    return _form_page(request, form, kind, None)


@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, pk: int) -> HttpResponse:
    found = managed_meeting(request, pk)
    form = MeetingForm(request.POST or None, review_type=found.review_type, meeting=found)
    if request.method == "POST" and form.is_valid():
        try:
            services.change_meeting(
                actor=request.user,
                meeting_id=pk,
                version=form.cleaned_data["version"],
                data=form.data_given(),
                reason=form.cleaned_data["reason"],
            )
        except Refused as refusal:
            form.add_error(None, str(refusal.message))
        else:
            messages.success(request, _("The meeting is changed; everybody concerned is told."))
            return redirect("digital_review:meeting", pk)
    return _form_page(request, form, found.review_type, found)


def _form_page(
    request: HttpRequest, form: MeetingForm, kind: ReviewType, found: Meeting | None
) -> HttpResponse:
    context = {"form": form, "kind": kind, "meeting": found}
    status = 422 if form.errors else 200
    return render(request, "digital_review/meetings/edit.html", context, status=status)


@require_http_methods(["GET", "POST"])
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    found = managed_meeting(request, pk)
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda **values: services.cancel_meeting(actor=request.user, meeting_id=pk, **values),
        title=_("Cancel the meeting"),
        words=_("Everybody concerned is told. Its patients belong on the next list again."),
        lines=[words_of(found)],
        back=reverse("digital_review:meeting", args=[pk]),
        danger=True,
    )


@require_http_methods(["GET", "POST"])
def invite(request: HttpRequest, pk: int) -> HttpResponse:
    found = managed_meeting(request, pk)
    people = people_at(SEE, found.review_type)
    return ask(
        request,
        InviteForm(request.POST or None, people=people),
        lambda **values: services.invite(actor=request.user, meeting_id=pk, **values),
        title=_("Invite somebody"),
        words=_("They are told of the meeting, with a link."),
        back=reverse("digital_review:meeting", args=[pk]),
    )


@require_http_methods(["GET", "POST"])
def name_deputy(request: HttpRequest, pk: int, part: str) -> HttpResponse:
    found = managed_meeting(request, pk)
    if part in OFFICES:
        officer = getattr(found, part)
        who = people_at(PART_NEEDS[Participant.Part(part)], found.review_type)
        people = [person for person in who if person != officer]
        words = _("In this meeting alone they have the part of the %(office)s, %(name)s.") % {
            "office": Participant.Part(part).label,
            "name": officer,
        }
        form = DeputyForm(request.POST or None, people=people)
    elif part == Participant.Part.SPECIALIST:
        words = _("They sign this meeting's findings for the specialist.")
        form = DeputyForm(
            request.POST or None,
            people=people_at(SIGN_REVIEW, found.review_type),
            specialists=specialists_of(found.review_type_id),
        )
    else:
        raise Http404
    return ask(
        request,
        form,
        lambda **values: services.name_deputy(
            actor=request.user, meeting_id=pk, part=part, **values
        ),
        title=_("Name a deputy"),
        words=words,
        back=reverse("digital_review:meeting", args=[pk]),
    )


@require_http_methods(["GET", "POST"])
def uninvite(request: HttpRequest, pk: int) -> HttpResponse:
    rows = visible(request.user, Participant.objects.select_related("person"), MANAGE)
    row = get_object_or_404(rows, pk=pk)
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda **values: services.uninvite(actor=request.user, participant_id=pk, **values),
        title=_("Take off the list"),
        words=_("%(name)s does not take part as %(part)s any more.")
        % {"name": row.person, "part": row.get_part_display()},
        back=reverse("digital_review:meeting", args=[row.meeting_id]),
        danger=True,
    )


def seen_meeting(request: HttpRequest, pk: int) -> Meeting:
    """The meeting, for who may see the review's meetings; another does not exist."""
    require(request.user, SEE)
    return get_object_or_404(
        meetings_seen(request.user).select_related("pathologist_hospital"), pk=pk
    )


def managed_meeting(request: HttpRequest, pk: int) -> Meeting:
    found = seen_meeting(request, pk)
    require(request.user, MANAGE, found)
    return found


def words_of(found: Meeting) -> str:
    when = date_format(timezone.localtime(found.starts_at), "SHORT_DATETIME_FORMAT")
    return f"{found.review_type}, {when}"
