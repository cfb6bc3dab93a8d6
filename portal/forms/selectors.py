"""Reading forms: a version made usable, and a sheet with what follows from its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from django.utils import timezone

from portal.access.masking import may_see_personal
from portal.forms.models import FormDesign, FormVersion, Sheet
from portal.forms.rules.answers import Answers, Row, answers_from_json, answers_to_json
from portal.forms.rules.definition import Form, form_from_json
from portal.forms.rules.filling import Filled, Finding, UsableForm, fill
from portal.forms.rules.terms import Term, Terms, Type
from portal.records.personal import HIDDEN, Masked, unmasked


def usable(version: FormVersion) -> UsableForm:
    """The form of a version that was published. Faulty for a draft with faults."""
    if version.state == FormVersion.State.DRAFT:
        return UsableForm(form_from_json(version.content), terms_from_json(version.outside))
    return _published(version.pk, version.published_at)


@lru_cache(maxsize=256)
def _published(pk: int, published_at: datetime) -> UsableForm:
    # a published version never changes, so what is worked out of it holds for good
    version = FormVersion.all_objects.get(pk=pk)
    return UsableForm(form_from_json(version.content), terms_from_json(version.outside))


def latest(design: FormDesign) -> FormVersion | None:
    """The version on which new sheets begin; None where none is published."""
    return design.versions.filter(
        state=FormVersion.State.PUBLISHED, deleted_at__isnull=True
    ).first()


def terms_to_json(terms: Terms) -> dict[str, Any]:
    """Names beyond a form as they are kept with its version."""
    return {
        name: {
            "type": term.type.value,
            "codes": [*term.codes],
            "missing_codes": [*term.missing_codes],
            "column": term.column,
            "group": term.group,
        }
        for name, term in terms.items()
    }


def terms_from_json(data: Mapping[str, Any]) -> dict[str, Term]:
    """What `terms_to_json` wrote."""
    return {
        name: Term(
            Type(each["type"]),
            tuple(each["codes"]),
            tuple(each["missing_codes"]),
            each["column"],
            each["group"],
        )
        for name, each in data.items()
    }


# --- sheets ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReadSheet:
    """A sheet as its reader may see it: masks stand for the answers of personal items."""

    sheet: Sheet
    form: Form
    answers: Answers
    filled: Filled
    masked: bool
    """Whether personal answers are masked."""


def true_answers(sheet: Sheet) -> Answers:
    """Every answer as it was given, personal ones too: for services, never for a page."""
    form = usable(sheet.form_version).form
    with unmasked():
        plain, personal = sheet.answers, sheet.personal_answers
    rows: dict[str, list[dict[str, Any]]] = {}
    for part in (plain, personal):
        for group, listed in part["rows"].items():
            into = rows.setdefault(group, [])
            into += [{} for _ in range(len(listed) - len(into))]
            for row, values in zip(into, listed, strict=False):
                row |= values
    return answers_from_json(form, {"values": plain["values"] | personal["values"], "rows": rows})


def put_answers(sheet: Sheet, answers: Answers) -> None:
    """Set a sheet's answers, those of personal items apart. It is not saved."""
    form = usable(sheet.form_version).form
    sheet.answers = answers_to_json(_only(form, answers, personal=False))
    with unmasked():
        sheet.personal_answers = answers_to_json(_only(form, answers, personal=True))


def _only(form: Form, answers: Answers, *, personal: bool) -> Answers:
    def of(row: Row) -> Row:
        return {
            code: value for code, value in row.items() if form.spots[code].item.personal is personal
        }

    rows = {group: tuple(of(row) for row in listed) for group, listed in answers.rows.items()}
    return Answers(of(answers.values), rows)


def reading_day(sheet: Sheet) -> date:
    """The day on which *today* is for the sheet's rules: once complete, that of completion."""
    return timezone.localdate(sheet.completed_at) if sheet.completed_at else timezone.localdate()


def true_filling(
    sheet: Sheet, answers: Answers | None = None, outside: Mapping[str, Any] | None = None
) -> Filled:
    """What follows from the answers, unmasked: for services, never for a page."""
    given = true_answers(sheet) if answers is None else answers
    return fill(usable(sheet.form_version), given, reading_day(sheet), outside)


def read_sheet(
    sheet: Sheet,
    *,
    answers: Answers | None = None,
    outside: Mapping[str, Any] | None = None,
    filled: Filled | None = None,
) -> ReadSheet:
    """The sheet for the person of the current act. ``answers``: with what they did not save yet;
    ``filled``: what follows from these, where that is known already."""
    form = usable(sheet.form_version).form
    given = true_answers(sheet) if answers is None else answers
    filled = filled or true_filling(sheet, given, outside)
    if may_see_personal(sheet):
        return ReadSheet(sheet, form, given, filled, masked=False)
    return ReadSheet(sheet, form, _hidden(form, given), _hidden_filling(form, filled), masked=True)


def _hidden(form: Form, answers: Answers) -> Answers:
    def of(row: Row) -> Row:
        return {
            code: Masked(HIDDEN) if form.spots[code].item.personal else value
            for code, value in row.items()
        }

    rows = {group: tuple(of(row) for row in listed) for group, listed in answers.rows.items()}
    return Answers(of(answers.values), rows)


def _hidden_filling(form: Form, filled: Filled) -> Filled:
    def hidden(item: str) -> bool:
        return item in form.spots and form.spots[item].item.personal

    return replace(
        filled,
        values={
            at: Masked(HIDDEN) if hidden(at.item) else value for at, value in filled.values.items()
        },
        findings=tuple(
            _hidden_finding(each) if hidden(each.at.item) else each for each in filled.findings
        ),
    )


def _hidden_finding(finding: Finding) -> Finding:
    """What is wrong stays, and which check says so; the other facts may tell the value."""
    facts = {key: value for key, value in finding.facts.items() if key == "check"}
    return replace(finding, facts=facts)
