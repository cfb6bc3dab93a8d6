"""The minutes as a sheet's page, and taking in what is typed (DR-060)."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from digital_review.models import AgendaItem
from digital_review.services.room import MINUTES, write_minutes
from portal.access.decision import visible
from portal.forms.presentation import changes
from portal.forms.selectors import usable
from portal.forms.views.sheet_input import number_of, typed_of
from portal.forms.views.sheet_page import SheetPage
from portal.records.errors import Refused

MINUTES_PAGE = SheetPage("form", MINUTES)


@require_POST
def write(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep what was typed a moment ago: numbered, so that what arrives late changes nothing.

    Answers what changes on the writer's own page. Refused in plain words (409): the pen is
    somebody else's, another patient is on the table; the page keeps what was typed and says so.
    """
    items = visible(request.user, AgendaItem.objects.all()).select_related("form__form_version")
    item = get_object_or_404(items, pk=pk, form__isnull=False)
    typed = typed_of(usable(item.form.form_version).form, request.POST)
    before = MINUTES_PAGE.filling(request.user, item.form).page
    try:
        kept = write_minutes(
            actor=request.user,
            item_id=pk,
            typed=typed,
            opened_version=number_of(request, "opened_version"),
            sequence=number_of(request, "sequence"),
        )
    except (Refused, PermissionDenied) as error:
        words = str(error) or str(_("You may not write the minutes (any more)."))
        return HttpResponse(words, status=409, content_type="text/plain; charset=utf-8")
    after = MINUTES_PAGE.shown_of(kept)
    context = {"sheet": item.form, "form": after, "changes": changes(before, after), "files": []}
    response = render(request, "forms/_sheet_check.html", context)
    response["X-Sheet-Sequence"] = str(kept.unsaved.sequence)
    return response
