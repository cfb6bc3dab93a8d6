"""A form with its answers: what is shown, what is asked, what follows, what is wrong.

Worked out in the order of `dependencies.order_of`, so the same answers always give the same result:

* An item is shown when the rules of its section, its group and itself are all *true*. Unknown hides
  it: as long as nobody has said that there was a biopsy, nobody is asked its date.
* The answer of a hidden item is kept but does not count: for rules, completeness and findings it is
  missing. It is kept because *yes, no, yes* must lose nothing, and does not count because nothing
  may follow from what nobody can see. `Filled.kept` names such answers, so that one can ask whether
  to clear them.
* A missing-value code is an answer to the question, but no value: the item is complete, and rules
  that read it are unknown.
* A check fires when its rule is true and its item is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from portal.forms.rules.answers import Answers, At
from portal.forms.rules.definition import Form, Item, Kind, Severity, Spot
from portal.forms.rules.dependencies import graph_of, order_of
from portal.forms.rules.evaluation import evaluate
from portal.forms.rules.functions import round_half_up
from portal.forms.rules.items import Misfit, misfits
from portal.forms.rules.publishing import require_publishable
from portal.forms.rules.terms import Terms, terms_of
from portal.forms.rules.texts import NO_WORDS, Words
from portal.forms.rules.values import Value


class UsableForm:
    """A form that may be filled in, with what is worked out of it once.

    ``outside`` are the names beyond the form that its rules may read. Faulty when the form could
    not be published.
    """

    def __init__(self, form: Form, outside: Terms | None = None) -> None:
        require_publishable(form, outside)
        self.form = form
        self.outside = dict(outside or {})
        self.order = order_of(graph_of(form))

    @cached_property
    def terms(self) -> Mapping[str, Terms]:
        """What names stand for: in a repeating group by its code, elsewhere under ``""``."""
        repeating = [group.code for group in self.form.groups.values() if group.repeats]
        return {code: terms_of(self.form, code, self.outside) for code in ("", *repeating)}


@dataclass(frozen=True)
class Finding:
    """Something about an answer: outside its limits, not as its pattern, or a check that fired."""

    at: At
    """For too many rows: the group's code."""
    severity: Severity
    code: str
    """``check``, or what `items.misfits` calls it."""
    facts: Mapping[str, object] = field(default_factory=dict, hash=False)
    message: Words = NO_WORDS
    """The designer's own words, of a check."""


@dataclass(frozen=True)
class Filled:
    """What follows from the answers; every place in the order of the form."""

    shown: tuple[At, ...]
    kept: tuple[At, ...]
    """Answers of hidden items."""
    values: Mapping[At, Value]
    """What counts: the answers of shown items, and what was computed."""
    required: tuple[At, ...]
    missing: tuple[At, ...]
    """Required, and without an answer."""
    findings: tuple[Finding, ...]
    groups: tuple[str, ...] = ()
    """The groups that are shown, with rows or without."""

    @property
    def hard(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.severity is Severity.HARD)

    @property
    def soft(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.severity is Severity.SOFT)

    @property
    def completeness(self) -> tuple[int, int]:
        """How many of the required items have an answer, of how many."""
        return len(self.required) - len(self.missing), len(self.required)

    def missing_before_signing(self, form: Form) -> tuple[At, ...]:
        """What must be answered before one can sign: all that is missing but the signature."""
        kinds = {code: spot.item.kind for code, spot in form.spots.items()}
        return tuple(at for at in self.missing if kinds[at.item] is not Kind.SIGNATURE)


def fill(
    usable: UsableForm, answers: Answers, today: date, outside: Mapping[str, Any] | None = None
) -> Filled:
    """What follows from ``answers`` today. ``outside``: values of the names beyond the form."""
    return _Filling(usable, answers, today, outside or {}).filled()


class _Filling:
    def __init__(
        self, usable: UsableForm, answers: Answers, today: date, outside: Mapping[str, Any]
    ) -> None:
        self.usable, self.form, self.today = usable, usable.form, today
        self.answers, self.outside = answers, outside
        self.shown: set[At] = set()
        self.worked: dict[At, Value | None] = {}
        self.columns: dict[str, tuple[Any, ...]] = {}
        for code in usable.order:
            self.work_out(self.form.spots[code])

    def places(self, spot: Spot) -> list[At]:
        """Where the item stands: once, or in every row; there are at least the rows asked for."""
        group = spot.rows
        if group is None:
            return [At(spot.item.code)]
        count = max(len(self.answers.rows.get(group.code, ())), group.rows_least or 0)
        return [At(spot.item.code, row) for row in range(count)]

    def work_out(self, spot: Spot) -> None:
        around = self.surroundings(spot)
        for at in self.places(spot):
            if around is not True or self.truth(spot.item.show_if, spot, at) is not True:
                self.worked[at] = None
                continue
            self.shown.add(at)
            if spot.item.kind is Kind.COMPUTED:
                found = self.ask(spot.item.rule, spot, at)
                self.worked[at] = _as_result(self.form, spot.item, found)
            else:
                self.worked[at] = self.answers.get(self.form, at)

    def surroundings(self, spot: Spot) -> bool | None:
        """Whether section and group are shown: true, false, or unknown."""
        group = spot.group.show_if if spot.group is not None else ""
        rules = [rule for rule in (spot.section.show_if, group) if rule]
        terms = self.usable.terms[""]
        truths = [evaluate(rule, terms, _Names(self), self.today) for rule in rules]
        return False if False in truths else None if None in truths else True

    def truth(self, rule: str, spot: Spot, at: At) -> bool | None:
        truth: bool | None = self.ask(rule, spot, at) if rule else True
        return truth

    def ask(self, rule: str, spot: Spot, at: At) -> Any:
        group = spot.rows.code if spot.rows is not None else ""
        return evaluate(rule, self.usable.terms[group], _Names(self, group, at.row), self.today)

    def column(self, code: str) -> tuple[Any, ...]:
        """An item's values in all rows: none of a hidden group, one unknown of an unknown one."""
        if code not in self.columns:
            # whoever reads it comes after it, so it is whole
            spot = self.form.spots[code]
            around = self.surroundings(spot)
            known = [self.worked.get(at) for at in self.places(spot)] if around else [around]
            self.columns[code] = () if around is False else tuple(known)
        return self.columns[code]

    def filled(self) -> Filled:
        places = [at for spot in self.form.spots.values() for at in self.places(spot)]
        shown = [at for at in places if at in self.shown]
        required = [at for at in shown if self.required(at)]
        return Filled(
            shown=tuple(shown),
            kept=tuple(
                at
                for at in places
                if at not in self.shown and self.answers.get(self.form, at) is not None
            ),
            values={at: value for at in shown if (value := self.worked[at]) is not None},
            required=tuple(required),
            missing=tuple(at for at in required if self.worked[at] is None),
            findings=tuple(self.findings(shown)),
            groups=tuple(
                code
                for code, group in self.form.groups.items()
                if self.surroundings(self.form.spots[group.items[0].code]) is True
            ),
        )

    def required(self, at: At) -> bool:
        spot = self.form.spots[at.item]
        rule = spot.item.required_if
        return spot.item.required or (bool(rule) and self.truth(rule, spot, at) is True)

    def findings(self, shown: list[At]) -> Iterator[Finding]:
        for group in self.form.groups.values():
            rows = len(self.answers.rows.get(group.code, ()))
            if group.rows_most is not None and rows > group.rows_most:
                facts = {"most": group.rows_most, "found": rows}
                yield Finding(At(group.code), Severity.HARD, "too_many_rows", facts)
        for at in shown:
            spot, value = self.form.spots[at.item], self.worked[at]
            for each in self.misfits(spot.item, value):
                severity = Severity.SOFT if each.soft else Severity.HARD
                yield Finding(at, severity, each.code, each.facts)
            yield from self.fired(spot, at)

    def misfits(self, item: Item, value: Value | None) -> Iterator[Misfit]:
        return iter(()) if value is None else misfits(self.form, item, value, self.today)

    def fired(self, spot: Spot, at: At) -> Iterator[Finding]:
        for check in spot.item.checks:
            if self.truth(check.when, spot, at) is True:
                facts = {"check": check.code}
                yield Finding(at, check.severity, "check", facts, check.message)


class _Names:
    """The values of names, as the rule of one place sees them."""

    def __init__(self, filling: _Filling, group: str = "", row: int | None = None) -> None:
        self.filling, self.group, self.row = filling, group, row

    def get(self, name: str, /) -> Any:
        filling, form = self.filling, self.filling.form
        if name in form.spots:
            rows = form.spots[name].rows
            if rows is not None and rows.code != self.group:
                return filling.column(name)
            return filling.worked.get(At(name, None if rows is None else self.row))
        group, _, item = name.partition(".")
        if group in form.groups and not item:
            return self.rows(group)
        if group in form.groups:
            return filling.column(item)
        return filling.outside.get(name)

    def rows(self, group: str) -> int | None:
        """How many rows count: none of a hidden group."""
        spot = self.filling.form.spots[self.filling.form.groups[group].items[0].code]
        around = self.filling.surroundings(spot)
        return None if around is None else len(self.filling.places(spot)) if around else 0


def _as_result(form: Form, item: Item, found: Any) -> Value | None:
    """A computed value as its item has it: rounded half up, a code of its list."""
    if isinstance(found, Decimal):
        digits = item.decimals if item.decimals is not None else 0
        if item.result is Kind.INTEGER or item.decimals is not None:
            try:
                return round_half_up(found, Decimal(digits))
            except ArithmeticError:
                return None
    if item.result is Kind.SINGLE_CHOICE and found not in form.codes_of(item):
        return None
    result: Value | None = found
    return result


@dataclass(frozen=True)
class Effect:
    """What one change does to the rest of the form."""

    after: Filled
    shown: tuple[At, ...]
    hidden: tuple[At, ...]
    """No longer shown; those with an answer are in ``after.kept``: ask whether to clear it."""
    changed: tuple[At, ...]
    """Worked out anew, to another value."""
    found: tuple[Finding, ...]
    gone: tuple[Finding, ...]


def effect_of(before: Filled, after: Filled) -> Effect:
    """What is different in ``after``: what a page shows anew when a field is left."""
    both = set(before.shown) & set(after.shown)
    return Effect(
        after,
        shown=tuple(at for at in after.shown if at not in both),
        hidden=tuple(at for at in before.shown if at not in both),
        changed=tuple(
            at for at in after.shown if at in both and before.values.get(at) != after.values.get(at)
        ),
        found=tuple(each for each in after.findings if each not in before.findings),
        gone=tuple(each for each in before.findings if each not in after.findings),
    )
