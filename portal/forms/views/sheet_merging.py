"""The merge screen of a sheet: where two people gave one answer differently, the second chooses.

The screen is that of every record (`portal.records.merging`): theirs and yours, answer by answer;
all else is merged without asking (PT-022, DR-139).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language

from portal.access.masking import may_see_personal
from portal.forms.fields import take_in
from portal.forms.presentation import language_among
from portal.forms.rules.answers import Answers
from portal.forms.rules.definition import Form, Group
from portal.forms.rules.merging import Conflict
from portal.forms.selectors import true_answers, usable
from portal.forms.services.sheets import StaleAnswers, habits
from portal.forms.views.sheet_input import CHOICE, SEEN, choices_of
from portal.forms.views.sheet_page import SheetPage
from portal.forms.words import in_words
from portal.records.merging import Row


def merge_answers(
    request: HttpRequest,
    page: SheetPage,
    stale: StaleAnswers,
    opened_version: int,
    typed: Mapping[str, str],
) -> HttpResponse:
    """The screen, with status 409. It sends all that was typed again, with what was chosen."""
    sheet = page.get(request.user, stale.sheet.pk)
    form = usable(sheet.form_version).form
    wording = _Wording(sheet, form, typed)
    context = {
        "record": sheet,
        "rows": [wording.row(each) for each in stale.conflicts],
        "carried": [
            *typed.items(),
            ("opened_version", opened_version),
            (SEEN, sheet.version),
            *((CHOICE + name, whose) for name, whose in choices_of(request, sheet).items()),
            *(("complete", "1") for _each in ("complete",) if "complete" in request.POST),
        ],
        "action": page.url(sheet, "fill"),
        "back": page.url(sheet),
        "in_page": False,
        "by": sheet.history.select_related("history_user").latest(),
    }
    return render(request, "records/merge.html", context, status=409)


class _Wording:
    """Conflicting answers as the person reads them."""

    def __init__(self, sheet: Any, form: Form, typed: Mapping[str, str]) -> None:
        self.form = form
        self.language = language_among(form, get_language() or "en")
        self.masked = not may_see_personal(sheet)
        self.theirs = true_answers(sheet)
        self.yours, _faults = take_in(form, self.theirs, typed, habits())

    def row(self, conflict: Conflict) -> Row:
        group = self.form.groups.get(conflict.name)
        if group is not None:
            label, before = group.title, ""
            theirs, yours = self.rows(group, self.theirs), self.rows(group, self.yours)
        else:
            item = self.form.spots[conflict.name].item
            hidden = item.personal and self.masked
            label = item.label
            before, theirs, yours = (
                in_words(self.form, item, value, self.language, mask=hidden)
                for value in (conflict.before, conflict.theirs, conflict.yours)
            )
        return Row(
            name=conflict.name,
            label=label.text(self.language, self.form.languages),
            before=before,
            theirs=theirs,
            yours=yours,
            chosen="",
            both=True,
            offered=True,
        )

    def rows(self, group: Group, answers: Answers) -> str:
        """The rows of a group in a line: ``1: a, b; 2: c``."""
        return "; ".join(
            f"{number}: "
            + ", ".join(
                in_words(
                    self.form,
                    item,
                    row.get(item.code),
                    self.language,
                    mask=item.personal and self.masked,
                )
                or "–"
                for item in group.items
            )
            for number, row in enumerate(answers.rows.get(group.code, ()), 1)
        )
