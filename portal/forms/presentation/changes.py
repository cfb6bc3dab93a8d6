"""What a page shows anew after one answer."""

from __future__ import annotations

from dataclasses import dataclass

from portal.forms.presentation.structure import Field, Page, Part, SectionPage


@dataclass(frozen=True)
class Change:
    """What a page shows anew of one field: all of it, or its sentences, mark and value alone."""

    field: Field
    whole: bool


@dataclass(frozen=True)
class Changes:
    """What a page shows anew after one answer."""

    fields: tuple[Change, ...] = ()
    parts: tuple[Part, ...] = ()
    """Repeating groups that appear, go, or have other rows."""
    sections: tuple[SectionPage, ...] = ()
    news: tuple[tuple[str, str], ...] = ()
    """What is said that was not said before: label and sentence."""


def changes(before: Page | None, after: Page) -> Changes:
    """What differs in ``after``, of a page that showed ``before``; of None: everything.

    A field that one may be typing in is not shown anew as a whole: only its sentences are, and only
    a field that appears or goes changes as a whole.
    """
    was = {each.name: each for each in before.fields()} if before is not None else {}
    parts = {each.id: each for each in before.parts()} if before is not None else {}
    sections = {each.id: each for each in before.sections} if before is not None else {}
    other_rows = tuple(
        each for each in after.parts() if each.repeats and _rows(parts.get(each.id)) != _rows(each)
    )
    inside = {each.name for part in other_rows for row in part.rows for each in row.fields}
    found: list[Change] = []
    news: list[tuple[str, str]] = []
    for each in after.fields():
        old = was.get(each.name)
        if each.name in inside:
            continue
        if old is None or old.shown is not each.shown:
            found.append(Change(each, whole=True))
        elif _said_of(old) != _said_of(each):
            found.append(Change(each, whole=False))
        if before is not None and each.shown:
            known = {said.text for said in old.said} if old is not None else set()
            news += [(each.label, said.text) for said in each.said if said.text not in known]
    return Changes(
        tuple(found),
        other_rows,
        tuple(each for each in after.sections if _counts(sections.get(each.id)) != _counts(each)),
        tuple(news),
    )


def _rows(part: Part | None) -> tuple[object, ...]:
    if part is None:
        return ()
    return (part.shown, part.said, *(row.number for row in part.rows))


def _said_of(each: Field) -> tuple[object, ...]:
    """What may change beside a field that stays where it is."""
    value = each.worded if not each.open else ""
    return (each.said, each.required, each.missing, value)


def _counts(section: SectionPage | None) -> tuple[object, ...]:
    if section is None:
        return ()
    return (section.shown, section.answered, section.required, section.wrong)
