"""A meeting's list of patients: who is put on it, taken off, moved (DR-053 to DR-056)."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from digital_review.forms.meetings import MoveForm
from digital_review.models import AgendaItem
from digital_review.models.reach import MANAGE
from digital_review.selectors.meetings import meetings_seen
from digital_review.services import agenda as services
from digital_review.views.meetings import managed_meeting, words_of
from portal.access.acts import ask
from portal.access.decision import require, visible
from portal.access.forms import ReasonForm


@require_POST
def add(request: HttpRequest, pk: int) -> HttpResponse:
    managed_meeting(request, pk)
    case = request.POST.get("case", "")
    if not case.isdecimal():
        raise Http404
    services.add_patient(actor=request.user, meeting_id=pk, case_id=int(case))
    messages.success(request, _("The patient is on the list."))
    return redirect("digital_review:meeting", pk)


@require_POST
def add_all(request: HttpRequest, pk: int) -> HttpResponse:
    managed_meeting(request, pk)
    number = services.add_all(actor=request.user, meeting_id=pk)
    text = ngettext("%(n)s patient is on the list now.", "%(n)s more patients are listed.", number)
    messages.success(request, text % {"n": number})
    return redirect("digital_review:meeting", pk)


@require_http_methods(["GET", "POST"])
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    item = _item(request, pk)
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda **values: services.remove_patient(actor=request.user, item_id=pk, **values),
        title=_("Take off the list"),
        words=_("Patient %(number)s is not discussed at this meeting. Everything known stays.")
        % {"number": item.case.patient.number},
        lines=[words_of(item.meeting)],
        back=reverse("digital_review:meeting", args=[item.meeting_id]),
        danger=True,
    )


@require_http_methods(["GET", "POST"])
def move(request: HttpRequest, pk: int) -> HttpResponse:
    item = _item(request, pk)
    others = meetings_seen(request.user).filter(
        status="planned", review_type=item.meeting.review_type_id
    )
    return ask(
        request,
        MoveForm(request.POST or None, meetings=others.exclude(pk=item.meeting_id)),
        lambda **values: services.move_patient(actor=request.user, item_id=pk, **values),
        title=_("Move to another meeting"),
        words=_("Patient %(number)s is discussed at another meeting.")
        % {"number": item.case.patient.number},
        lines=[words_of(item.meeting)],
        back=reverse("digital_review:meeting", args=[item.meeting_id]),
    )


@require_POST
def place(request: HttpRequest, pk: int) -> HttpResponse:
    """Another place in the list: ``to`` counts from 1."""
    item = _item(request, pk)
    to = request.POST.get("to", "")
    if not to.isdecimal() or len(to) > 4:
        raise Http404
    services.reorder_patient(actor=request.user, item_id=pk, to=int(to))
    return redirect("digital_review:meeting", item.meeting_id)


def _item(request: HttpRequest, pk: int) -> AgendaItem:
    items = visible(request.user, AgendaItem.objects.all(), MANAGE).select_related(
        "case__patient", "meeting__review_type__unit"
    )
    item = get_object_or_404(items, pk=pk)
    require(request.user, MANAGE, item.meeting)
    return item
