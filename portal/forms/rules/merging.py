"""Two people's answers on one form, put together: what each changed, and where they disagree.

An answer outside a repeating group is merged by itself. A group's rows are merged as one, since a
row has no name of its own: once somebody has taken one away, the third row is another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from portal.forms.rules.answers import Answers, At
from portal.forms.rules.definition import Form
from portal.forms.rules.values import Value

THEIRS, YOURS = "theirs", "yours"
Choices = Mapping[str, str]
"""By item or repeating group: whether `THEIRS` or `YOURS` holds."""


@dataclass(frozen=True)
class Conflict:
    """What two people answered differently: an item with the three values, or a group's rows."""

    name: str
    before: Value | None = None
    theirs: Value | None = None
    yours: Value | None = None


@dataclass(frozen=True)
class Merge:
    """The answers put together; what they alone changed; where nobody has chosen yet."""

    answers: Answers
    merged: tuple[str, ...]
    conflicts: tuple[Conflict, ...]


def differing(form: Form, one: Answers, other: Answers) -> Iterator[At]:
    """Where two sheets of answers differ, in the order of the form."""
    for code, spot in form.spots.items():
        places: list[int | None] = [None]
        if spot.rows is not None:
            rows = (each.rows.get(spot.rows.code, ()) for each in (one, other))
            places = [*range(max(len(listed) for listed in rows))]
        for row in places:
            at = At(code, row)
            if one.get(form, at) != other.get(form, at):
                yield at


def merge(form: Form, base: Answers, theirs: Answers, yours: Answers, choices: Choices) -> Merge:
    """What you changed since ``base``, on top of what they changed since."""
    by_them, by_you = _changed(form, base, theirs), _changed(form, base, yours)
    answers, conflicts = theirs, []
    for name in by_you:
        if name in by_them and _of(theirs, form, name) != _of(yours, form, name):
            if name not in choices:
                conflicts.append(_conflict(form, name, base, theirs, yours))
                continue
            if choices[name] == THEIRS:
                continue
        answers = _taken_over(answers, form, name, yours)
    merged = tuple(name for name in by_them if name not in by_you)
    return Merge(answers, merged, tuple(conflicts))


def _changed(form: Form, one: Answers, other: Answers) -> list[str]:
    """The items and repeating groups in which they differ."""
    groups = [
        code
        for code, group in form.groups.items()
        if group.repeats and _of(one, form, code) != _of(other, form, code)
    ]
    return [*(at.item for at in differing(form, one, other) if at.row is None), *groups]


def _of(answers: Answers, form: Form, name: str) -> object:
    if name in form.groups:
        return answers.rows.get(name, ())
    return answers.get(form, At(name))


def _taken_over(answers: Answers, form: Form, name: str, yours: Answers) -> Answers:
    if name in form.groups:
        return replace(answers, rows={**answers.rows, name: yours.rows.get(name, ())})
    return answers.given(form, At(name), yours.get(form, At(name)))


def _conflict(form: Form, name: str, base: Answers, theirs: Answers, yours: Answers) -> Conflict:
    if name in form.groups:
        return Conflict(name)
    at = At(name)
    return Conflict(name, base.get(form, at), theirs.get(form, at), yours.get(form, at))
