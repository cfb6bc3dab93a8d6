"""After a meeting: its findings, signed patient by patient (DR-061, Sc 5); and its video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from digital_review.models import AgendaItem, CaseForm, Meeting
from digital_review.selectors.meeting_topics import meeting_topic
from digital_review.selectors.meetings import items_of
from digital_review.selectors.opinions import agreement_of
from digital_review.selectors.room import place_of
from digital_review.services.signing import MEANING, may_sign, sign_form
from digital_review.services.telling import responsible_for
from digital_review.services.video import video_address
from digital_review.views.meetings import seen_meeting
from digital_review.views.minutes import MINUTES_PAGE
from portal.access.decision import visible
from portal.audit.services import Access, log_access
from portal.records.errors import Refused
from portal.signing.services import Signer
from portal.signing.web import asks_for_passkey, passkey_options, signer_of, ways_to_sign


@dataclass(frozen=True)
class Finding:
    """Of one patient who was discussed."""

    item: AgendaItem
    form: CaseForm
    mine: bool
    """It waits for the signature of the person who asks."""
    signers: tuple[Any, ...]
    """Who is responsible for the outcome; nobody named: whoever signs reviews."""

    @property
    def signed(self) -> bool:
        return self.form.signature_id is not None


def findings_of(user: Any, meeting: Meeting) -> list[Finding]:
    """Of every patient discussed, in the order of the list."""
    items = items_of(user, meeting).filter(status="discussed", form__isnull=False)
    found = []
    for item in items.select_related("form__form_version", "form__signature"):
        form = item.form
        if form is None:
            continue
        form.case = item.case
        signers = tuple(responsible_for(item.case)) if form.signature_id is None else ()
        found.append(Finding(item, form, may_sign(user, form), signers))
    return found


@require_GET
def findings(request: HttpRequest, pk: int) -> HttpResponse:
    """What waits for the person's signature, the first of it open; then everybody's."""
    return _page(request, pk)


def _page(
    request: HttpRequest, pk: int, refusal: Refused | None = None, chosen: str = ""
) -> HttpResponse:
    meeting = seen_meeting(request, pk)
    rows = findings_of(request.user, meeting)
    waiting = [row for row in rows if row.mine]
    wanted = chosen or request.GET.get("form", "")
    present = next((row for row in waiting if str(row.form.pk) == wanted), None)
    present = present or (waiting[0] if waiting else None)
    if present is not None:
        log_access(Access.OPEN, present.form)
    context = {
        "meeting": meeting,
        "place": place_of(request.user, meeting),
        "rows": rows,
        "waiting": waiting,
        "present": present,
        "page": MINUTES_PAGE.read(present.form) if present else None,
        "agreement": agreement_of(request.user, meeting),
        "meaning": MEANING,
        "refusal": refusal,
        "ways_to_sign": ways_to_sign(request) if present else None,
        "topic": meeting_topic(pk),
    }
    status = 422 if refusal else 200
    return render(request, "digital_review/room/findings.html", context, status=status)


@require_POST
def sign(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign one finding (``pk`` is its form); the page then shows the next."""
    forms = visible(request.user, CaseForm.objects.select_related("case__patient", "slot"))
    form = get_object_or_404(forms, pk=pk)
    if form.status == CaseForm.Status.COMPLETE and not may_sign(request.user, form):
        raise PermissionDenied
    meeting_id = request.POST.get("meeting", "")
    version = request.POST.get("version", "")
    if not meeting_id.isdecimal() or not version.isdecimal():
        raise PermissionDenied

    def act(signer: Signer) -> CaseForm:
        return sign_form(actor=request.user, form_id=pk, version=int(version), signer=signer)

    if asks_for_passkey(request):
        return passkey_options(request, act)
    try:
        act(signer_of(request))
    except Refused as refusal:
        return _page(request, int(meeting_id), refusal, str(pk))
    messages.success(
        request,
        _("The finding of patient %(number)s is signed.") % {"number": form.case.patient.number},
    )
    return redirect("digital_review:meeting_findings", int(meeting_id))


@require_GET
def video(request: HttpRequest, pk: int) -> HttpResponse:
    """To the video meeting, with a token of one's own."""
    meeting = seen_meeting(request, pk)
    address = video_address(request.user, meeting)
    log_access(Access.OPEN, meeting, data={"view": "video"})
    return HttpResponseRedirect(address)
