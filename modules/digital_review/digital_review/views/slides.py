"""Slides of a case: adding, changing, removing, the viewer and its tiles, the shared view."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from functools import partial
from math import isfinite
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from digital_review.forms.slides import NewSlideForm, SlideForm
from digital_review.models import Case, Slide
from digital_review.models.reach import PATHOLOGY
from digital_review.selectors.room import place_of
from digital_review.services.shared_view import (
    SlideView,
    running_meeting_of,
    share_view,
    shared_view,
    slide_topic,
)
from digital_review.services.slides import (
    add_slide,
    change_slide,
    remove_slide,
    tick_slides_received,
)
from digital_review.urls_names import case_tab_url
from digital_review.views.slide_contents import slides_of, tile_file, viewer_source
from portal.access.acts import ask
from portal.access.decision import can, require, visible
from portal.access.forms import ReasonForm
from portal.audit.services import Access, log_access
from portal.records.errors import Refused

_TILE_KEPT_S = 3600


def slides_tab(request: HttpRequest, case: Case) -> dict[str, Any]:
    """What the tab *Slides* of a case shows."""
    return {
        "rows": slides_of(request.user, case),
        "may_write": can(request.user, PATHOLOGY, case),
    }


@require_http_methods(["GET", "POST"])
def add(request: HttpRequest, pk: int) -> HttpResponse:
    """A new slide of the case; a large image is streamed to disk while it comes."""
    case = _case(request, pk)
    require(request.user, PATHOLOGY, case)
    form = NewSlideForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            slide = add_slide(
                actor=request.user,
                case_id=case.pk,
                facts=form.facts(),
                address=given["address"],
                upload=given["image"],
            )
        except Refused as refusal:
            form.add_error("image" if given["image"] else None, str(refusal))
        else:
            messages.success(request, _("Slide %(label)s is added.") % {"label": slide.label})
            return redirect(case_tab_url(case.pk, "slides"))
    context = {"form": form, "case": case, "back": case_tab_url(case.pk, "slides")}
    status = 422 if form.errors else 200
    return render(request, "digital_review/slide_edit.html", context, status=status)


@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Change what is written about a slide."""
    slide = _slide(request, pk)
    require(request.user, PATHOLOGY, slide)
    initial = {name: getattr(slide, name) for name in SlideForm.base_fields}
    form = SlideForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        opened = request.POST.get("version", "")
        change_slide(
            actor=request.user,
            slide_id=slide.pk,
            version=int(opened) if opened.isdigit() else 0,
            facts=form.facts(),
        )
        messages.success(request, _("Slide %(label)s is saved.") % {"label": slide.label})
        return redirect(case_tab_url(slide.case_id, "slides"))
    back = case_tab_url(slide.case_id, "slides")
    context = {"form": form, "case": slide.case, "slide": slide, "back": back}
    status = 422 if form.errors else 200
    return render(request, "digital_review/slide_edit.html", context, status=status)


@require_http_methods(["GET", "POST"])
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a slide out of the case, with a reason."""
    slide = _slide(request, pk)
    require(request.user, PATHOLOGY, slide)
    return ask(
        request,
        ReasonForm(request.POST or None),
        partial(remove_slide, actor=request.user, slide_id=slide.pk),
        title=_("Remove slide %(label)s") % {"label": slide.label},
        words=_("It leaves the patient's page. Its image is kept, and it can be restored."),
        back=case_tab_url(slide.case_id, "slides"),
        danger=True,
    )


@require_POST
def received(request: HttpRequest, pk: int) -> HttpResponse:
    """Tick that the glass slides of the patient arrived (DR-063)."""
    tick_slides_received(actor=request.user, case_id=pk, received=True)
    messages.success(request, _("The slides are ticked as received."))
    return redirect(case_tab_url(pk, "slides"))


@require_http_methods(["GET", "POST"])
def not_received(request: HttpRequest, pk: int) -> HttpResponse:
    """The tick was a mistake: taken back with a reason."""
    case = _case(request, pk)
    require(request.user, PATHOLOGY, case)
    return ask(
        request,
        ReasonForm(request.POST or None),
        partial(tick_slides_received, actor=request.user, case_id=case.pk, received=False),
        title=_("Slides of %(patient)s not received") % {"patient": case.patient},
        words=_("The tick is taken back."),
        back=case_tab_url(case.pk, "slides"),
    )


@require_GET
def viewer(request: HttpRequest, pk: int) -> HttpResponse:
    """The image, to move and zoom in; in a running meeting the chairman's view can be followed."""
    slide = _slide(request, pk)
    if slide.tiles != Slide.Tiles.READY:
        raise Http404
    log_access(Access.OPEN, slide, patient=slide.case.patient.number)
    meeting = running_meeting_of(request.user, slide)
    context = {
        "slide": slide,
        "case": slide.case,
        "source": viewer_source(slide),
        "others": [row.slide for row in slides_of(request.user, slide.case) if row.can_be_viewed],
        "back": case_tab_url(slide.case_id, "slides"),
        "meeting": meeting,
        "leading": meeting is not None and place_of(request.user, meeting).leads,
        "topic": slide_topic(meeting.pk) if meeting else "",
    }
    return render(request, "digital_review/slide_viewer.html", context)


@require_GET
def tile(request: HttpRequest, pk: int, level: int, column: int, row: int) -> HttpResponse:
    """One tile, to who may see the slide; kept by their browser alone, for an hour."""
    slide = get_object_or_404(visible(request.user, Slide.objects.all()), pk=pk)
    path = tile_file(slide, level, column, row)
    if path is None:
        raise Http404
    response = HttpResponse(path.read_bytes(), content_type="image/jpeg")
    response["Cache-Control"] = f"private, max-age={_TILE_KEPT_S}"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_http_methods(["GET", "POST"])
def meeting_view(request: HttpRequest, pk: int) -> HttpResponse:
    """What the chairman shows; posted by the chairman's viewer, asked for by those who follow."""
    if request.method == "POST":
        share_view(actor=request.user, meeting_id=pk, view=_sent_view(request))
        return HttpResponse(status=204)
    view = shared_view(request.user, pk)
    response = JsonResponse(asdict(view) if view else {})
    response["Cache-Control"] = "no-store"
    return response


def _sent_view(request: HttpRequest) -> SlideView:
    try:
        sent = json.loads(request.body)
        view = SlideView(
            slide=int(sent["slide"]),
            **{each.name: float(sent[each.name]) for each in fields(SlideView)[1:]},
        )
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise Refused(_("This is no view of a slide."), code="view") from error
    numbers = (view.x, view.y, view.zoom, view.rotation)
    if not all(map(isfinite, numbers)) or not 0 < view.zoom < 1e6:
        raise Refused(_("This is no view of a slide."), code="view")
    return view


def _case(request: HttpRequest, pk: int) -> Case:
    cases = visible(request.user, Case.objects.all())
    return get_object_or_404(cases.select_related("patient", "review_type__unit"), pk=pk)


def _slide(request: HttpRequest, pk: int) -> Slide:
    slides = visible(request.user, Slide.objects.all())
    related = slides.select_related("case__patient", "case__review_type__unit", "added_by")
    return get_object_or_404(related, pk=pk)
