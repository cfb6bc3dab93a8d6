"""What people do in the meeting room. The page's parts fetch themselves anew afterwards."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from digital_review.models import AgendaItem, CaseForm
from digital_review.selectors.minutes import unsaved_of_writer
from digital_review.services import opinions as opinion_services
from digital_review.services import room as services
from digital_review.views.minutes import MINUTES_PAGE
from digital_review.views.room import entered, entered_item
from portal.access.acts import ask
from portal.access.forms import ReasonForm
from portal.forms.selectors import usable
from portal.forms.services.sheets import BadAnswers, NotComplete, finding_key
from portal.records.errors import Refused


def _done(request: HttpRequest, meeting_id: int) -> HttpResponse:
    """Nothing to swap: what changed comes live. Without script the room is shown anew."""
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponse(status=204)
    return redirect("digital_review:room", meeting_id)


@require_POST
def start(request: HttpRequest, pk: int) -> HttpResponse:
    entered(request, pk)
    services.start_meeting(actor=request.user, meeting_id=pk)
    return redirect("digital_review:room", pk)


@require_POST
def show(request: HttpRequest, pk: int) -> HttpResponse:
    """The chairman puts a patient on the table."""
    item, _place = entered_item(request, pk)
    services.show_patient(actor=request.user, meeting_id=item.meeting_id, item_id=pk)
    return _done(request, item.meeting_id)


@require_POST
def take_pen(request: HttpRequest, pk: int) -> HttpResponse:
    entered(request, pk)
    services.take_pen(actor=request.user, meeting_id=pk)
    return _done(request, pk)


@require_POST
def give_pen(request: HttpRequest, pk: int) -> HttpResponse:
    entered(request, pk)
    services.give_pen(actor=request.user, meeting_id=pk)
    return _done(request, pk)


@require_POST
def opine(request: HttpRequest, pk: int) -> HttpResponse:
    item, _place = entered_item(request, pk)
    outcome = request.POST.get("outcome", "")
    if not outcome.isdecimal():
        raise Refused(_("Choose an outcome."), code="outcome")
    opinion_services.give_opinion(
        actor=request.user,
        item_id=pk,
        outcome_id=int(outcome),
        text=request.POST.get("text", ""),
    )
    return _done(request, item.meeting_id)


@require_POST
def disclose(request: HttpRequest, pk: int) -> HttpResponse:
    item, _place = entered_item(request, pk)
    opinion_services.disclose_opinions(actor=request.user, item_id=pk)
    return _done(request, item.meeting_id)


class MinorityForm(forms.Form):
    text = forms.CharField(widget=forms.Textarea(attrs={"rows": 4}), required=False)


@require_http_methods(["GET", "POST"])
def minority(request: HttpRequest, pk: int) -> HttpResponse:
    item, place = entered_item(request, pk)
    if not (place.leads or place.holds_pen):
        raise Http404
    form = MinorityForm(request.POST or None, initial={"text": item.minority})
    form.fields["text"].label = _("Minority opinion")
    return ask(
        request,
        form,
        lambda **values: opinion_services.write_minority(actor=request.user, item_id=pk, **values),
        title=_("Keep the minority opinion"),
        words=_("It stands in the minutes of patient %(number)s.")
        % {"number": item.case.patient.number},
        back=reverse("digital_review:room", args=[item.meeting_id]),
    )


@require_http_methods(["GET", "POST"])
def finish(request: HttpRequest, pk: int) -> HttpResponse:
    """The patient was discussed: what is in the way is listed, what is doubtful confirmed."""
    item, place = entered_item(request, pk)
    if item.form is None or not (place.leads or place.holds_pen):
        raise Http404
    refusal: Refused | None = None
    if request.method == "POST":
        try:
            services.finish_patient(
                actor=request.user, item_id=pk, confirmed=request.POST.getlist("confirm")
            )
        except Refused as error:
            refusal = error
        else:
            messages.success(
                request,
                _("Patient %(number)s was discussed.") % {"number": item.case.patient.number},
            )
            return redirect("digital_review:room", item.meeting_id)
    context = {"item": item, "refusal": refusal, **_in_the_way(item, item.form, refusal)}
    name = "_finish.html" if request.htmx else "finish.html"  # type: ignore[attr-defined]
    return render(request, f"digital_review/room/{name}", context, status=422 if refusal else 200)


def _in_the_way(item: AgendaItem, sheet: CaseForm, refusal: Refused | None) -> dict[str, Any]:
    """What keeps the form from being complete, in words; what is to be confirmed."""
    page = MINUTES_PAGE.shown(sheet, unsaved_of_writer(sheet, item.meeting.writer_id))
    form = usable(sheet.form_version).form
    if isinstance(refusal, BadAnswers):
        return {"wrong": [page.label_of(name) for name in refusal.faults]}
    if isinstance(refusal, NotComplete):
        doubtful = [finding_key(form, each) for each in refusal.unconfirmed]
        said = {each.key: each.text for field in page.fields() for each in field.said}
        return {
            "missing": [page.label_of(name) for name in refusal.missing],
            "wrong": [page.label_of(each.at.item) for each in refusal.hard],
            "doubtful": [(key, said.get(key, key)) for key in doubtful],
        }
    return {}


@require_http_methods(["GET", "POST"])
def postpone(request: HttpRequest, pk: int) -> HttpResponse:
    item, place = entered_item(request, pk)
    if not place.leads:
        raise PermissionDenied
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda **values: services.postpone_patient(actor=request.user, item_id=pk, **values),
        title=_("Postpone the patient"),
        words=_("Patient %(number)s belongs on the next list. What was written is kept.")
        % {"number": item.case.patient.number},
        back=reverse("digital_review:room", args=[item.meeting_id]),
    )


@require_http_methods(["GET", "POST"])
def end(request: HttpRequest, pk: int) -> HttpResponse:
    meeting, place = entered(request, pk)
    if not place.leads:
        raise PermissionDenied
    left = AgendaItem.objects.filter(meeting=meeting, status="to_discuss")
    return ask(
        request,
        forms.Form(request.POST if request.method == "POST" else None),
        lambda **_values: services.end_meeting(actor=request.user, meeting_id=pk),
        title=_("End the meeting"),
        words=_(
            "Findings wait for their signatures. Whom the meeting did not reach stays for the"
            " next list."
        ),
        lines=[
            _("Patient %(number)s: not reached") % {"number": item.case.patient.number}
            for item in left.select_related("case__patient")
        ],
        back=reverse("digital_review:meeting_findings", args=[pk]),
        danger=True,
    )
