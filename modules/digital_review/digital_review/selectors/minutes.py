"""What is being written at the meeting, as everybody else in the room sees it grow (DR-060)."""

from __future__ import annotations

import logging
from typing import Any

from django.core.cache import cache
from django.template.loader import render_to_string
from django.utils.translation import get_language

from digital_review.models import AgendaItem, CaseForm
from digital_review.selectors.facts import names_beyond
from portal.access.masking import may_see_personal
from portal.forms.fields import at_of, take_in
from portal.forms.models import UnsavedInput
from portal.forms.presentation import Page, present
from portal.forms.rules.values import BadValue
from portal.forms.selectors import read_sheet, true_answers, usable
from portal.forms.services.sheets import habits

logger = logging.getLogger(__name__)
KEPT_S = 600
TEMPLATE = "digital_review/room/_written.html"


def unsaved_of_writer(form: CaseForm, writer_id: int | None) -> UnsavedInput | None:
    """What whoever holds the pen typed and did not save."""
    kind = CaseForm._meta.label_lower  # noqa: SLF001
    found = UnsavedInput.objects.filter(person=writer_id, sheet_type=kind, sheet_id=form.pk)
    return found.first() if writer_id is not None else None


def written(form: CaseForm, unsaved: UnsavedInput | None) -> Page:
    """The form with what is being typed into it, as the person of the current act may see it."""
    answers = true_answers(form)
    typed: dict[str, str] = {}
    faults: dict[str, BadValue] = {}
    if unsaved is not None:
        design = usable(form.form_version).form
        answers, faults = take_in(design, answers, unsaved.typed, habits())
        typed = dict(unsaved.typed)
        if not may_see_personal(form):
            typed = {name: text for name, text in typed.items() if not _personal(design, name)}
            faults = {name: fault for name, fault in faults.items() if name in typed}
    read = read_sheet(form, answers=answers, outside=names_beyond(form))
    return present(read, get_language() or "en", typed, faults)


def _personal(design: Any, name: str) -> bool:
    at = at_of(design, name)
    return at is not None and design.spots[at.item].item.personal


def written_html(item: AgendaItem, form: CaseForm) -> str:
    """The fragment, rendered once for all who may see the same of it.

    The key names everything that it depends on: what was saved, what was typed, the language, and
    whether personal answers are masked. Who may see it at all was decided before.
    """
    unsaved = unsaved_of_writer(form, item.meeting.writer_id)
    typed_at = f"{unsaved.pk}.{unsaved.sequence}.{unsaved.changed_at:%s.%f}" if unsaved else "-"
    shown = "all" if may_see_personal(form) else "masked"
    key = f"digital_review:written:{form.pk}:{form.version}:{typed_at}:{get_language()}:{shown}"
    html = _kept(key)
    if html is None:
        html = render_to_string(TEMPLATE, {"page": written(form, unsaved), "form": form})
        _keep(key, html)
    return html


def _kept(key: str) -> str | None:
    try:
        return cache.get(key)
    except Exception as error:  # without Redis everybody renders for themselves
        logger.warning("no cache for the minutes: %s", error)
        return None


def _keep(key: str, html: str) -> None:
    try:
        cache.set(key, html, KEPT_S)
    except Exception as error:
        logger.warning("no cache for the minutes: %s", error)
