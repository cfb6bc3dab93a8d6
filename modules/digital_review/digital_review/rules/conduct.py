"""What a flow may ask of Digital Review, who may take its transitions, what its guards can read.

The registry is closed: a flow names what stands here, and nothing else is ever done by it.

Facts have names of two parts. ``case.…`` and ``outcome.…`` exist in every case; each form that the
review type uses gives, under the code of its slot, ``precrf.started``, ``precrf.complete``,
``precrf.signed``, and ``precrf.A49`` for the answer of each item that does not repeat.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from portal.flows.rules.definition import Fact
from portal.flows.rules.publishing import ActionKind, Argument, Registry
from portal.forms.rules.definition import Form, Item, Kind
from portal.forms.rules.terms import OF_KIND, Term, term_of

WORKING = frozenset({"started", "complete", "signed"})
"""What is known of every form; an item of such a code gives no fact."""
RESERVED = frozenset({"case", "outcome"})
"""What no slot may be called."""
_NO_FACT = frozenset({Kind.FILE, Kind.SIGNATURE})


class Role(StrEnum):
    """Who may take a transition."""

    TRIAL_BUREAU = "trial_bureau"
    DATAMANAGER = "datamanager"
    DOCTOR = "treating_doctor"
    CLINICIAN = "clinician"
    PATHOLOGIST = "review_pathologist"
    CHAIRMAN = "chairman"
    SECRETARY = "secretary"
    SPECIALIST = "specialist"
    MANAGER = "review_manager"
    SYSTEM = "system"
    """The service itself, as soon as the guard is true: nobody has to press anything."""


class Do(StrEnum):
    """What a state or a transition may ask for."""

    NOTIFY = "notify"
    """Tell everybody of a role, on screen and by mail."""
    OPEN_FORM = "open_form"
    """Begin a form, unless one of its kind is open; who fills it in is told."""
    REQUIRE_SIGNATURE = "require_signature"
    """Tell whoever is to sign a form."""
    REQUEST_FOLLOW_UP = "request_follow_up"
    """A follow-up is due some months from now; the trial bureau starts it (UC16)."""
    REQUEST_INFORMATION = "request_information"
    """Ask the hospital for more: new samples, a repeated biopsy, a letter (DR-057)."""
    SCHEDULE = "schedule"
    """Put the case on the list of the next meeting."""
    START_TIMER = "start_timer"


def registry(slots: Collection[str]) -> Registry:
    """Every action there is; ``slots``: the codes of the forms that it may name."""
    known = frozenset(slots)
    slot = {"slot": known.__contains__}
    return {
        Do.NOTIFY: ActionKind(needs={"role": Argument.ROLE}),
        Do.OPEN_FORM: ActionKind(needs={"slot": Argument.TEXT}, allowed=slot),
        Do.REQUIRE_SIGNATURE: ActionKind(needs={"slot": Argument.TEXT}, allowed=slot),
        Do.REQUEST_FOLLOW_UP: ActionKind(takes={"months": Argument.NUMBER}),
        Do.REQUEST_INFORMATION: ActionKind(needs={"what": Argument.TEXT}),
        Do.SCHEDULE: ActionKind(),
        Do.START_TIMER: ActionKind(needs={"timer": Argument.TIMER}),
    }


# --- facts ------------------------------------------------------------------------------------

CASE_FACTS = (
    Fact("case.in_meeting", Kind.BOOLEAN),
    Fact("case.days_to_meeting", Kind.INTEGER),
    Fact("case.discussed", Kind.BOOLEAN),
    Fact("case.slides_received", Kind.BOOLEAN),
    Fact("case.information_complete", Kind.BOOLEAN),
    Fact("case.follow_up_wanted", Kind.BOOLEAN),
    Fact("case.follow_up_due", Kind.BOOLEAN),
    Fact("outcome.met", Kind.BOOLEAN),
    Fact("outcome.to_panel", Kind.BOOLEAN),
)
"""Those of every case. ``outcome.…`` is unknown until the meeting's form is complete."""


def fact_name(slot: str, what: str) -> str:
    """``precrf.A49``, ``precrf.complete``."""
    return f"{slot}.{what}"


def items_of(form: Form) -> list[Item]:
    """The items whose answers are facts: those that do not repeat and are no files."""
    return [
        spot.item
        for code, spot in form.spots.items()
        if spot.rows is None and spot.item.holds not in _NO_FACT and code not in WORKING
    ]


def slot_facts(slot: str, form: Form | None) -> list[Fact]:
    """What a slot gives to know; ``form``: its published form, None as long as there is none."""
    found = [Fact(fact_name(slot, what), Kind.BOOLEAN) for what in sorted(WORKING)]
    for item in items_of(form) if form is not None else ():
        kind = item.holds if item.holds is not Kind.COMPUTED else Kind.TEXT
        codes = form.codes_of(item) if form is not None else ()
        found.append(Fact(fact_name(slot, item.code), kind, codes, item.label))
    return found


def slot_terms(slot: str, form: Form | None) -> dict[str, Term]:
    """Likewise, as what other forms' rules can read."""
    terms = {fact_name(slot, what): Term(OF_KIND[Kind.BOOLEAN]) for what in sorted(WORKING)}
    for item in items_of(form) if form is not None else ():
        if form is not None:
            terms[fact_name(slot, item.code)] = term_of(form, item)
    return terms


def case_terms(outcomes: Collection[str]) -> dict[str, Term]:
    """The facts of every case as terms of the rule language."""
    return {fact.name: Term(OF_KIND[fact.kind], fact.codes) for fact in all_facts(outcomes)}


def all_facts(outcomes: Collection[str]) -> list[Fact]:
    """The facts of every case, with ``outcome.code`` where the review type has outcomes."""
    code = [Fact("outcome.code", Kind.SINGLE_CHOICE, tuple(outcomes))] if outcomes else []
    return [*CASE_FACTS, *code]


def agreeing(several: Iterable[Mapping[str, object]]) -> set[str]:
    """The names that mean the same wherever they exist: a design may serve several review types."""
    found: dict[str, object] = {}
    doubtful: set[str] = set()
    for each in several:
        for name, meaning in each.items():
            if found.setdefault(name, meaning) != meaning:
                doubtful.add(name)
    return set(found) - doubtful


# --- which form of a slot counts --------------------------------------------------------------


@dataclass(frozen=True)
class FormStanding:
    """A form of a case, as far as the flow is concerned."""

    key: int
    slot: str
    number: int
    asked_at: datetime
    of_round: bool
    """It is answered anew in each round: a follow-up, the meeting's findings."""


def counting(forms: Iterable[FormStanding], round_began_at: datetime | None) -> dict[str, int]:
    """By slot the key of the form that counts now: the latest, where it is of the present round.

    A round ends when a follow-up is asked for. What was said in the last round (its follow-up, the
    meeting's findings) decides nothing in this one, else the flow would go on by itself.
    """
    found: dict[str, int] = {}
    for form in sorted(forms, key=lambda form: form.number):
        if form.of_round and round_began_at is not None and form.asked_at < round_began_at:
            continue
        found[form.slot] = form.key
    return found
