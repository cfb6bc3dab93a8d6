"""The merge screen (PT-022): the second saver chooses, field by field, and saves on top.

A form takes part with :class:`Mergeable`, its view with :func:`merge_screen`::

    class RoleForm(Mergeable, forms.Form):           # has the hidden field `version`
        name = forms.CharField()

    form = RoleForm(request.POST or None, initial={"name": role.name, "version": role.version})
    if request.method == "POST" and form.is_valid():
        try:
            compose_role(actor=…, expected_version=form.cleaned_data["version"], …)
        except StaleRecord as stale:
            return merge_screen(request, form, stale, back=reverse("access:roles"))

`initial` must be what the database holds now, in every request: where the person keeps *theirs*,
the field is read from there. The version that the screen showed is what its answer expects: one
more conflict shows the screen again. It is an ordinary form: no script is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.datastructures import MultiValueDict

from portal.records.errors import FieldDifference, StaleRecord
from portal.records.personal import unmasked
from portal.records.services import differences_since
from portal.records.words import flat, in_words

THEIRS, YOURS = "theirs", "yours"
_CHOICE = "merge-choice-"
_ASKED = "merge-asked"
_OPENED = "merge-opened"
_PLAIN = (bool, int, float, Decimal, date, time)
_NOT_CARRIED = ("csrfmiddlewaretoken", _ASKED, _OPENED)


class Mergeable(forms.Form):
    """A form that edits a record and takes the answer of its merge screen too."""

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def full_clean(self) -> None:
        """A field of which *theirs* was chosen is read from ``initial``, like a disabled one."""
        unanswered = self.unanswered()
        names = [] if unanswered else self.chosen(THEIRS)
        theirs = [self.fields[name] for name in names if not self.fields[name].disabled]
        for name in names:
            self._keep(name)
        super().full_clean()
        for field in theirs:
            field.disabled = False
            field.__dict__.pop("clean", None)
        if unanswered:
            # not merged yet: expecting the version that was opened, the save shows the screen anew
            self.cleaned_data["version"] = self._opened()
        elif self.errors and theirs:
            self._show_theirs()

    def _keep(self, name: str) -> None:
        """Read the field from ``initial``, as Django does with a disabled one."""
        field: Any = self.fields[name]
        field.disabled = True
        plain = isinstance(self.get_initial_for_field(field, name), _PLAIN)
        if plain and not hasattr(field, "choices"):
            # read again from text it might be refused: an amount of 1.200 says too little there
            field.clean = lambda value: value

    def chosen(self, whose: str) -> list[str]:
        """Names of the fields of which this answer keeps *theirs*, or *yours*."""
        return [name for name in self._asked() if self.data.get(_CHOICE + name) == whose]

    def unanswered(self) -> bool:
        """Whether the screen asked for a field and this answer does not say."""
        return bool({*self._asked()} - {*self.chosen(THEIRS), *self.chosen(YOURS)})

    def _asked(self) -> list[str]:
        """The fields of the screen that this is the answer to; [] where it answers none."""
        if not isinstance(self.data, MultiValueDict):
            return []
        return [name for name in self.data.getlist(_ASKED) if name in self.fields]

    def _opened(self) -> int | None:
        """The version of which the person's form was; one that is no number is older than all."""
        text = str(self.data.get(_OPENED, ""))
        return int(text) if text.isdecimal() and len(text) < 10 else 0

    def _show_theirs(self) -> None:
        """What the page shows beside the errors is what would be saved."""
        self.data = self.data.copy()  # type: ignore[attr-defined]
        for name in self.chosen(THEIRS):
            field = self[name]
            value = field.field.widget.format_value(field.field.prepare_value(field.initial))
            several = value if isinstance(value, list | tuple) else [value]
            self.data.setlist(  # type: ignore[attr-defined]
                field.html_name, ["" if each is None else str(each) for each in several]
            )


@dataclass(frozen=True)
class Row:
    """A field of the screen, in words. ``chosen``: what one who changed nothing there keeps."""

    name: str
    label: str
    before: str
    theirs: str
    yours: str
    chosen: str
    both: bool
    """Both changed it: the person has to choose."""
    offered: bool
    """False for a field that is not in the form: what was sent is saved."""


def merge_screen(
    request: HttpRequest,
    form: Mergeable,
    stale: StaleRecord,
    *,
    back: str,
    fields: Mapping[str, str] | None = None,
) -> HttpResponse:
    """The screen, with status 409; of a form that htmx sent, as the form's replacement.

    ``back`` is where *Cancel* leads. ``fields`` names the form's field for a record's field where
    the two are called otherwise. What the form did not ask is saved as it was sent.
    """
    opened = form.cleaned_data["version"]
    record = _newest(stale.record)
    differences = stale.differences or _from_form(form, record, opened)
    names = fields or {}
    rows = [_row(form, each, names.get(each.name, each.name)) for each in differences]
    offered = [row.name for row in rows if row.offered]
    # chosen on a former screen, and no difference any more: the choice stands
    settled = [name for name in form.chosen(THEIRS) if name not in offered]
    carried = [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if name not in (*_NOT_CARRIED, form.add_prefix("version")) and not name.startswith(_CHOICE)
    ]
    carried += [
        (form.add_prefix("version"), record.version),
        (_OPENED, opened if opened is not None else ""),
        *((_ASKED, name) for name in [*offered, *settled]),
        *((_CHOICE + name, THEIRS) for name in settled),
    ]
    in_page = bool(getattr(request, "htmx", False))
    context = {
        "record": record,
        "rows": rows,
        "carried": carried,
        "action": request.get_full_path(),
        "back": back,
        "in_page": in_page,
        "by": _last_saver(record),
    }
    template = "records/_merge_form.html" if in_page else "records/merge.html"
    return render(request, template, context, status=409)


def _newest(record: Any) -> Any:
    return type(record)._base_manager.get(pk=record.pk)  # noqa: SLF001


def _last_saver(record: Any) -> Any:
    return record.history.select_related("history_user").order_by("-history_id").first()


def _from_form(form: Mergeable, record: Any, opened: int | None) -> list[FieldDifference]:
    """The record was saved in the very moment: the service could not compare."""
    own = {field.name for field in record._meta.concrete_fields}  # noqa: SLF001
    sent = {
        name: value
        for name, value in form.cleaned_data.items()
        if name in own and name != "version"
    }
    return differences_since(record, opened or 0, sent)


def _row(form: Mergeable, difference: FieldDifference, name: str) -> Row:
    choices = _choices(form, difference, name)
    theirs_changed = _differ(difference.before, difference.theirs)
    yours_changed = _differ(difference.before, difference.yours)
    both = theirs_changed and yours_changed
    return Row(
        name=name,
        label=str(form[name].label if name in form.fields else difference.label),
        before=in_words(difference.before, choices),
        theirs=in_words(difference.theirs, choices),
        yours=in_words(difference.yours, choices),
        chosen=_before_chosen(form, name) or ("" if both else YOURS if yours_changed else THEIRS),
        both=both,
        offered=name in form.fields,
    )


def _before_chosen(form: Mergeable, name: str) -> str:
    """An answer that left another field open is shown again as it was."""
    if not form.unanswered():
        return ""
    return next((whose for whose in (THEIRS, YOURS) if name in form.chosen(whose)), "")


def _differ(one: Any, other: Any) -> bool:
    with unmasked():
        return bool(one != other)


def _choices(form: Mergeable, difference: FieldDifference, name: str) -> dict[Any, Any]:
    field = form.fields.get(name)
    if isinstance(difference.theirs, Model) or isinstance(difference.yours, Model):
        return {}
    if field is not None and getattr(field, "choices", None):
        return flat(field.choices)
    return {}
