"""Answering a form: keeping what is typed, saving, completing, opening again.

A module says once, in `SheetRules`, who may fill in its sheets and what else happens then::

    RULES = SheetRules(
        model=CaseForm,
        require_fill=require_fill,       # (actor, form): PermissionDenied, or Refused
        outside=outside_of,              # (form) -> values of names beyond the form
        topic=lambda form: f"digital_review/case/{form.case_id}",
        saved=after_saving,              # (actor, form, changed): in the same transaction
        completed=after_completing,      # (actor, form): likewise
    )

A draft takes every answer that can be read: what is wrong or missing with it is shown, and keeps it
from being *completed*. What one person has typed and another has saved meanwhile is merged answer
by answer; where both gave the same answer differently, the second chooses (PT-022, DR-139).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from portal.access.decision import visible
from portal.access.masking import may_see_personal
from portal.audit.services import Access, log_access, record
from portal.forms.fields import Typed, at_of, name_of, take_in
from portal.forms.models import AnswerFile, Sheet, UnsavedInput
from portal.forms.rules.answers import Answers, answers_to_json
from portal.forms.rules.definition import Form, Kind
from portal.forms.rules.filling import Filled, Finding
from portal.forms.rules.merging import Choices, Conflict, differing, merge
from portal.forms.rules.values import BadValue, Habits, to_json
from portal.forms.selectors import put_answers, true_answers, true_filling, usable
from portal.live.services import publish
from portal.records.errors import Refused
from portal.records.personal import unmasked
from portal.records.services import locked, writes


def _nothing(*_: Any) -> None:
    """What happens where a module has nothing to add."""


def _no_names(_: Any) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class SheetRules:
    """What a module adds to the answering of its sheets."""

    model: type[Sheet]
    require_fill: Callable[[Any, Any], None]
    """``(actor, sheet)``: raises PermissionDenied, or Refused where it is not the time for it."""
    topic: Callable[[Any], str]
    """The live topic that is told of every change of the sheet."""
    outside: Callable[[Any], Mapping[str, Any]] = _no_names
    """``(sheet)``: the values of the names beyond the form."""
    saved: Callable[[Any, Any, Collection[str]], None] = _nothing
    """``(actor, sheet, changed fields)``, in the transaction of saving."""
    completed: Callable[[Any, Any], None] = _nothing
    """``(actor, sheet)``, in the transaction of completing."""
    reopened: Callable[[Any, Any], None] = _nothing
    """``(actor, sheet)``, in the transaction of opening again."""

    @property
    def name(self) -> str:
        """As the audit trail names the sheet: ``digital_review.caseform``."""
        return self.model._meta.label_lower  # noqa: SLF001


class BadAnswers(Refused):
    """What was typed cannot be read as answers: by field. It is kept, and nothing was saved."""

    def __init__(self, faults: Mapping[str, BadValue]) -> None:
        self.faults = dict(faults)
        super().__init__(
            _("Some answers cannot be read. They are kept as you typed them."),
            code="bad_answers",
            details=sorted(faults),
        )


class StaleAnswers(Refused):
    """Somebody saved other answers meanwhile: the second saver chooses for each of them."""

    def __init__(self, sheet: Sheet, conflicts: tuple[Conflict, ...]) -> None:
        self.sheet, self.conflicts = sheet, conflicts
        super().__init__(
            _("Somebody else changed the same answers meanwhile."),
            code="stale_answers",
            details=[each.name for each in conflicts],
        )


class NotComplete(Refused):
    """The sheet cannot be completed: what is missing, what is wrong, what must be confirmed."""

    def __init__(self, missing: list[str], hard: list[Finding], unconfirmed: list[Finding]) -> None:
        self.missing, self.hard, self.unconfirmed = missing, hard, unconfirmed
        super().__init__(
            _("The form is not complete."),
            code="not_complete",
            details=[*missing, *(each.at.item for each in (*hard, *unconfirmed))],
        )


@dataclass(frozen=True)
class Kept:
    """What one person has typed so far: on top of the saved answers, and what follows from it."""

    sheet: Sheet
    unsaved: UnsavedInput
    answers: Answers
    filled: Filled
    faults: dict[str, BadValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Saved:
    """What came of saving: the changed fields, and those that somebody else changed meanwhile."""

    sheet: Sheet
    changed: tuple[str, ...]
    merged: tuple[str, ...]


def habits() -> Habits:
    """How people write here, in the language of the page."""
    first = translation.get_language() or "en"
    return Habits(day_first=not first.startswith("en-us"), zone=timezone.get_current_timezone())


# --- what is typed and not saved yet -------------------------------------------------------------


def unsaved_of(rules: SheetRules, person: Any, sheet: Sheet) -> UnsavedInput | None:
    """What the person typed into the sheet and did not save."""
    return UnsavedInput.objects.filter(
        person=person, sheet_type=rules.name, sheet_id=sheet.pk
    ).first()


def with_unsaved(rules: SheetRules, sheet: Sheet, unsaved: UnsavedInput) -> Kept:
    """The sheet as its writer sees it. Unmasked: for services, or through `read_sheet`."""
    form = usable(sheet.form_version).form
    answers, faults = take_in(form, true_answers(sheet), unsaved.typed, habits())
    filled = true_filling(sheet, answers, rules.outside(sheet))
    return Kept(sheet, unsaved, answers, filled, faults)


@writes
def keep_typed(
    rules: SheetRules,
    *,
    actor: Any,
    sheet_id: int,
    typed: Typed,
    opened_version: int,
    sequence: int,
) -> Kept:
    """Keep what was typed as a field is left: for its writer alone, until they save (DR-007).

    ``sequence`` numbers the page's changes: one that arrives after a later one changes nothing.
    Writes no history and no audit: nothing is said yet. Refused (``gone``, ``closed``).
    """
    sheet = to_fill(rules, actor, sheet_id, lock=False)
    _refuse_masked(sheet, typed)
    _refuse_foreign_files(rules, sheet, typed)
    unsaved, new = UnsavedInput.objects.select_for_update(no_key=True).get_or_create(
        person=actor,
        sheet_type=rules.name,
        sheet_id=sheet.pk,
        defaults={"opened_version": opened_version, "typed": {}, "sequence": -1},
    )
    if new or sequence > unsaved.sequence:
        unsaved.typed = {**unsaved.typed, **typed}
        unsaved.sequence = sequence
        unsaved.changed_at = timezone.now()
        unsaved.save()
        publish(rules.topic(sheet), "typing", sheet.pk)
    return with_unsaved(rules, sheet, unsaved)


@writes
def discard_typed(rules: SheetRules, *, actor: Any, sheet_id: int) -> None:
    """Throw away what one typed and did not save."""
    sheet = locked(_seen(rules, actor), sheet_id)
    if _forget_typed(rules, actor, sheet):
        publish(rules.topic(sheet), "typing", sheet.pk)


def _forget_typed(rules: SheetRules, actor: Any, sheet: Sheet) -> int:
    rows = UnsavedInput.objects.filter(person=actor, sheet_type=rules.name, sheet_id=sheet.pk)
    return rows.delete()[0]


# --- saving --------------------------------------------------------------------------------------


@writes
def save_sheet(
    rules: SheetRules,
    *,
    actor: Any,
    sheet_id: int,
    typed: Typed,
    opened_version: int,
    choices: Choices | None = None,
    reason: str = "",
) -> Saved:
    """Save what was typed, on top of what others saved meanwhile.

    ``choices`` says for a conflicting field whether ``theirs`` or ``yours`` holds. BadAnswers,
    StaleAnswers, Refused (``gone``, ``closed``, ``masked``); what was typed is kept then, when the
    page kept it before (`keep_typed`).
    """
    sheet = to_fill(rules, actor, sheet_id)
    _refuse_masked(sheet, typed)
    _refuse_foreign_files(rules, sheet, typed)
    form = usable(sheet.form_version).form
    theirs = true_answers(sheet)
    base = theirs if sheet.version == opened_version else _answers_at(sheet, form, opened_version)
    yours, faults = take_in(form, base, typed, habits())
    if faults:
        raise BadAnswers(faults)
    found = merge(form, base, theirs, yours, choices or {})
    if found.conflicts:
        raise StaleAnswers(sheet, found.conflicts)
    changed = [name_of(form, at) for at in differing(form, theirs, found.answers)]
    if changed:
        put_answers(sheet, found.answers)
        sheet.save()
        record("forms.sheet_saved", sheet, data={"changed": changed, "merged": [*found.merged]})
        log_access(Access.CHANGE, sheet)
        publish(rules.topic(sheet), "saved", sheet.pk)
        rules.saved(actor, sheet, changed)
    _forget_typed(rules, actor, sheet)
    return Saved(sheet, tuple(changed), found.merged)


def _answers_at(sheet: Sheet, form: Form, version: int) -> Answers:
    """The answers as they were in an older version of the sheet."""
    old = sheet.history.filter(version=version).first()  # type: ignore[attr-defined]
    if old is None:
        raise Refused(_("This page is too old: open the form again."), code="gone")
    with unmasked():
        return true_answers(old)


# --- completing, opening again -------------------------------------------------------------------


@writes
def complete_sheet(
    rules: SheetRules,
    *,
    actor: Any,
    sheet_id: int,
    version: int,
    confirmed: Collection[str] = (),
) -> Sheet:
    """Say that the form is complete. NotComplete while something is missing or hard.

    ``confirmed``: of the soft findings those that were looked at (`finding_key`). What somebody
    typed and did not save is no part of it: Refused (``unsaved``) where the actor has such.
    """
    sheet = to_fill(rules, actor, sheet_id)
    if sheet.version != version:
        raise Refused(_("The form was changed since you opened it: look again."), code="stale")
    if (
        UnsavedInput.objects.filter(person=actor, sheet_type=rules.name, sheet_id=sheet.pk)
        .exclude(typed={})
        .exists()
    ):
        raise Refused(_("Save what you typed first."), code="unsaved")
    if sheet.status != Sheet.Status.DRAFT:
        raise Refused(_("The form is complete already."), code="complete")
    form = usable(sheet.form_version).form
    filled = true_filling(sheet, None, rules.outside(sheet))
    missing = [name_of(form, at) for at in filled.missing_before_signing(form)]
    open_soft = [each for each in filled.soft if finding_key(form, each) not in confirmed]
    if missing or filled.hard or open_soft:
        raise NotComplete(missing, list(filled.hard), open_soft)
    sheet.status = Sheet.Status.COMPLETE
    sheet.completed_at = timezone.now()
    sheet.completed_by = actor if hasattr(actor, "pk") else None
    sheet.save()
    soft = [finding_key(form, each) for each in filled.soft]
    record("forms.sheet_completed", sheet, data={"confirmed": soft} if soft else {})
    log_access(Access.CHANGE, sheet)
    publish(rules.topic(sheet), "completed", sheet.pk)
    rules.completed(actor, sheet)
    return sheet


def finding_key(form: Form, finding: Finding) -> str:
    """A finding's name, by which it is confirmed: its field, its code, its check."""
    at = finding.at
    where = at.item if at.item in form.groups else name_of(form, at)
    return ":".join(filter(None, (where, finding.code, str(finding.facts.get("check", "")))))


@writes
def reopen_sheet(rules: SheetRules, *, actor: Any, sheet_id: int, reason: str) -> Sheet:
    """Make a complete form a draft again, with a reason. A locked one is not opened here."""
    if not reason.strip():
        raise Refused(_("Opening a form again needs a reason."), code="reason_needed")
    sheet = locked(_seen(rules, actor), sheet_id)
    rules.require_fill(actor, sheet)
    if sheet.status != Sheet.Status.COMPLETE:
        raise Refused(_("Only a complete form is opened again."), code="not_complete")
    unlock_sheet(rules, sheet)
    rules.reopened(actor, sheet)
    return sheet


def lock_sheet(rules: SheetRules, sheet: Sheet) -> None:
    """Nobody edits it any more: it was signed (DR-114). Within the caller's transaction."""
    sheet.status = Sheet.Status.LOCKED
    sheet.save()
    publish(rules.topic(sheet), "locked", sheet.pk)


def unlock_sheet(rules: SheetRules, sheet: Sheet) -> None:
    """A draft again. Within the caller's transaction, which says why and records more."""
    sheet.status = Sheet.Status.DRAFT
    sheet.completed_at = sheet.completed_by = None
    sheet.save()
    record("forms.sheet_reopened", sheet)
    publish(rules.topic(sheet), "reopened", sheet.pk)


# --- what a signature covers ---------------------------------------------------------------------


def signed_facts(sheet: Sheet, outside: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The form, its version, every answer and everything computed, by field (DR-113)."""
    form = usable(sheet.form_version).form
    answers = true_answers(sheet)
    filled = true_filling(sheet, answers, outside)
    return {
        "form": form.code,
        "version": sheet.form_version.number,
        "answers": answers_to_json(answers),
        "computed": {
            name_of(form, at): to_json(value)
            for at, value in filled.values.items()
            if form.spots[at.item].item.rule
        },
    }


# --- who, and when -------------------------------------------------------------------------------


def _seen(rules: SheetRules, actor: Any) -> Any:
    return visible(actor, rules.model.objects.select_related("form_version"))  # type: ignore[attr-defined]


def to_fill(rules: SheetRules, actor: Any, sheet_id: int, *, lock: bool = True) -> Any:
    """The sheet, where the actor may fill it in now."""
    seen = _seen(rules, actor)
    sheet = locked(seen, sheet_id) if lock else seen.filter(pk=sheet_id).first()
    if sheet is None:
        raise Refused(_("This record does not exist (any more)."), code="gone")
    rules.require_fill(actor, sheet)
    if sheet.status == Sheet.Status.LOCKED:
        raise Refused(_("The form is signed: nothing is changed in it."), code="closed")
    if sheet.status == Sheet.Status.COMPLETE:
        raise Refused(_("The form is complete: open it again first."), code="closed")
    return sheet


def _refuse_masked(sheet: Sheet, typed: Typed) -> None:
    """Nobody changes what they may not see."""
    if may_see_personal(sheet):
        return
    form = usable(sheet.form_version).form
    for name in typed:
        at = at_of(form, name)
        if at is not None and form.spots[at.item].item.personal:
            raise Refused(_("You may not see this, so you cannot change it."), code="masked")


def _refuse_foreign_files(rules: SheetRules, sheet: Sheet, typed: Typed) -> None:
    """A file given as an answer is one that was given to this sheet, at this item."""
    form = usable(sheet.form_version).form
    given = set()
    for name, text in typed.items():
        at = None if name.endswith("!") else at_of(form, name)
        if at is None or form.spots[at.item].item.kind is not Kind.FILE or not text.strip():
            continue
        key, _blank, called = text.strip().partition(" ")
        given.add((key, at.item, called))
    if not given:
        return
    files = AnswerFile.objects.filter(sheet_type=rules.name, sheet_id=sheet.pk)
    known = {
        (str(pk), item, called) for pk, item, called in files.values_list("pk", "item", "name")
    }
    if given - known:
        raise Refused(_("This file does not belong to this form."), code="foreign_file")
