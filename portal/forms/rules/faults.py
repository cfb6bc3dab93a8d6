"""What is wrong with a form or a machine, and where.

A fault is a code and the facts behind it. Its English sentence stands here, marked for the
catalogues, so that views translate it (``gettext(fault.sentence) % fault.facts``) and a log or a
test reads the same words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Place = tuple[tuple[str, str], ...]
"""The way from the whole to the part: ``(("section", "2"), ("item", "A18"))``."""


def N_(text: str) -> str:  # noqa: N802 the name that Babel collects strings by
    """Mark a sentence for translation."""
    return text


SENTENCES: Mapping[str, str] = {
    # what a file holds
    "not_json": N_("this is not JSON: %(reason)s"),
    "not_schema": N_("schema %(found)s cannot be read; this version reads schema %(wanted)s"),
    "not_a": N_("“%(key)s” must be %(wanted)s, not %(found)s"),
    "needed": N_("“%(key)s” is missing"),
    "unknown_key": N_("“%(key)s” is not known here"),
    "not_one_of": N_("“%(key)s” is “%(found)s”; it must be one of %(allowed)s"),
    "too_long": N_("“%(key)s” is longer than %(most)s characters"),
    "too_many": N_("there are more than %(most)s"),
    # names
    "bad_code": N_(
        "“%(code)s” is no code: begin with a letter, then letters, digits and _; no word of the"
        " rule language"
    ),
    "bad_list_code": N_("“%(code)s” is no code for a choice: no spaces around it, not empty"),
    "twice": N_("the code “%(code)s” is used twice"),
    "no_language": N_("no language is named"),
    "no_words": N_("“%(key)s” has no text in %(language)s"),
    "other_language": N_("“%(key)s” has a text in %(language)s, which is not one of its languages"),
    "no_list": N_("there is no code list “%(code)s”"),
    "list_needed": N_("a choice needs a code list"),
    "empty_list": N_("the code list has no choices"),
    "no_missing_code": N_("there is no missing-value code “%(code)s”"),
    "missing_code_twice": N_("“%(code)s” is both a choice and a missing-value code of this item"),
    "nothing_in_it": N_("there is nothing in it"),
    # what an item may say of itself
    "not_for_kind": N_("“%(key)s” has no meaning for the kind %(kind)s"),
    "bad_value": N_("“%(key)s” is “%(value)s”, which cannot stand here"),
    "limits_crossed": N_("the lowest value %(least)s is above the highest %(most)s"),
    "both_required": N_("an item is required, or required if; not both"),
    "rule_needed": N_("a computed item needs a rule and the kind of its result"),
    "rows_crossed": N_("at least %(least)s rows, at most %(most)s: no number fits"),
    "rows_of_one": N_("a group that does not repeat has no number of rows"),
    "bad_pattern": N_("the pattern cannot be read at character %(position)s: %(reason)s"),
    # rules
    "rule_too_long": N_("the rule is longer than %(most)s characters or %(tokens)s words"),
    "rule_too_deep": N_("the rule is nested too deeply"),
    "rule_word": N_("“%(word)s” is not a word of the rule language (character %(position)s)"),
    "rule_syntax": N_("the rule cannot be read at character %(position)s, near “%(word)s”"),
    "rule_ends": N_("the rule ends too early"),
    "rule_constant": N_("a constant part of the rule cannot be worked out: %(reason)s"),
    "rule_form": N_("this way of writing is not part of the rule language: %(what)s"),
    "unknown_name": N_("“%(name)s” is not a name that this rule can read"),
    "unknown_function": N_("there is no function “%(name)s”"),
    "wrong_count": N_("%(name)s() takes %(wanted)s values, not %(found)s"),
    "wrong_type": N_("%(what)s must be %(wanted)s, not %(found)s"),
    "not_comparable": N_("%(left)s cannot be compared with %(right)s"),
    "not_a_code": N_("“%(code)s” is not a code of %(name)s; it has %(allowed)s"),
    "column": N_("%(what)s has a value in every row: use count, sum, min, max, mean or in"),
    "literal_needed": N_("%(name)s() takes a constant in quotes like %(example)s"),
    "rule_result": N_("the rule gives %(found)s; here it must give %(wanted)s"),
    "cycle": N_("these depend on each other: %(way)s"),
    "inside_itself": N_(
        "is shown only if %(name)s has a certain answer, but %(name)s lies inside it"
    ),
    "wrong_value": N_("the value of %(name)s is not %(wanted)s"),
    # flows
    "one_start": N_("a machine has exactly one start state; this one has %(found)s"),
    "no_state": N_("there is no state “%(code)s”"),
    "no_source": N_("a transition needs a state that it leaves"),
    "no_way_in": N_("no transition leads here from the start"),
    "no_way_out": N_("no transition leads from here to a halting state"),
    "dead_state": N_("no transition leaves this state, and it is not a halting one"),
    "leaves_the_end": N_("the transition leaves “%(state)s”, which is a halting state"),
    "no_end": N_("there is no halting state"),
    "unknown_action": N_("there is no action “%(name)s”; there are %(allowed)s"),
    "unknown_argument": N_("%(action)s takes no “%(name)s”"),
    "argument_needed": N_("%(action)s needs “%(name)s”"),
    "bad_argument": N_("“%(name)s” of %(action)s must be %(wanted)s"),
    "unknown_role": N_("there is no role “%(name)s”"),
    "nobody": N_("no role may take it and no timer does"),
    "forced_guard": N_("a forced transition has no guard: a person decides, with a reason"),
    "no_transition": N_("there is no transition “%(code)s”"),
    "bad_delay": N_("the delay must lie between 1 and %(most)s %(unit)s"),
    "forced_timer": N_("a timer cannot force: that takes a person with a reason"),
    "idle_timer": N_("the timer is started by an action, but no action starts it"),
    "timer_at_once": N_("%(count)s timers of state “%(state)s” run out at the same moment"),
    "no_place": N_("state “%(state)s” is not in the other version: say where it goes"),
}


def place_in_words(place: Place) -> str:
    """``section 2, item A18``; nothing for the whole."""
    return ", ".join(f"{what} {which}".strip() for what, which in place)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: where, which, and the facts for the words."""

    place: Place
    code: str
    facts: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def sentence(self) -> str:
        """The English sentence with its blanks; also the key of the translation."""
        return SENTENCES[self.code]

    def __str__(self) -> str:
        words = self.sentence % self.facts
        where = place_in_words(self.place)
        return f"{where}: {words}" if where else words


class Faulty(Exception):  # noqa: N818 named for what it is
    """A definition that cannot be used, with everything that is wrong with it at once."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))
