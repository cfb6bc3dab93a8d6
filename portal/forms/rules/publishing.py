"""Everything that must hold before a version of a form is published, all of it at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from portal.forms.rules.checking import check_rule
from portal.forms.rules.definition import (
    CHOICES,
    CODE,
    Choice,
    Form,
    Group,
    Item,
    Kind,
)
from portal.forms.rules.dependencies import cycles_in, graph_of, read_by
from portal.forms.rules.expressions import RESERVED, RuleError, names_in
from portal.forms.rules.faults import Fault, Faulty, Place
from portal.forms.rules.functions import NAMES
from portal.forms.rules.items import settings_faults
from portal.forms.rules.terms import OF_KIND, Terms, Type, terms_of
from portal.forms.rules.texts import Words

MOST_ITEMS = 2_000
MOST_ROWS = 1_000
WORDS_OF_THE_LANGUAGE = RESERVED | NAMES


def require_publishable(form: Form, outside: Terms | None = None) -> None:
    """Faulty, with every fault there is, unless the form can be published."""
    found = faults_of(form, outside)
    if found:
        raise Faulty(found)


def faults_of(form: Form, outside: Terms | None = None) -> list[Fault]:
    """What keeps the form from being published, in the order of the form.

    ``outside``: the names beyond the form that its rules may read, such as ``precrf.A49``.
    """
    return [
        *_whole_faults(form),
        *_list_faults(form),
        *_part_faults(form),
        *_rule_faults(form, outside or {}),
        *_inside_itself(form),
        *_ring_faults(form),
    ]


def code_fault(code: str, place: Place) -> Iterator[Fault]:
    """A code that cannot be a name in rules."""
    if not CODE.fullmatch(code) or code in WORDS_OF_THE_LANGUAGE:
        yield Fault(place, "bad_code", {"code": code})


def words_faults(
    languages: tuple[str, ...], texts: Mapping[str, Words], place: Place, *, optional: bool = False
) -> Iterator[Fault]:
    """A text that is missing in a language, or is in one that there is not."""
    for key, words in texts.items():
        if optional and not words:
            continue
        for language in languages:
            if language not in words.languages:
                yield Fault(place, "no_words", {"key": key, "language": language})
        for language in words.languages:
            if language not in languages:
                yield Fault(place, "other_language", {"key": key, "language": language})


def twice(codes: Iterable[tuple[str, Place]]) -> Iterator[Fault]:
    """Every code that stands at more than one place, at each but the first."""
    seen: set[str] = set()
    for code, place in codes:
        if code in seen:
            yield Fault(place, "twice", {"code": code})
        seen.add(code)


def _whole_faults(form: Form) -> Iterator[Fault]:
    yield from code_fault(form.code, ())
    if not form.languages:
        yield Fault((), "no_language")
    yield from twice((language, ()) for language in form.languages)
    yield from words_faults(form.languages, {"title": form.title}, ())
    about = {"description": form.description}
    yield from words_faults(form.languages, about, (), optional=True)
    if not form.spots:
        yield Fault((), "nothing_in_it")
    if len(form.spots) > MOST_ITEMS:
        yield Fault((), "too_many", {"most": MOST_ITEMS})


def _list_faults(form: Form) -> Iterator[Fault]:
    yield from twice((each.code, (("code list", each.code),)) for each in form.code_lists)
    for each in form.code_lists:
        place: Place = (("code list", each.code),)
        if not each.choices:
            yield Fault(place, "empty_list")
        yield from _choice_faults(form, each.choices, place)
    yield from _choice_faults(form, form.missing_codes, (("missing-value codes", ""),))


def _choice_faults(form: Form, choices: tuple[Choice, ...], place: Place) -> Iterator[Fault]:
    yield from twice((choice.code, place) for choice in choices)
    for choice in choices:
        here = (*place, ("choice", choice.code))
        if not choice.code.strip() or choice.code != choice.code.strip() or "\n" in choice.code:
            yield Fault(here, "bad_list_code", {"code": choice.code})
        yield from words_faults(form.languages, {"label": choice.label}, here)


def _part_faults(form: Form) -> Iterator[Fault]:
    """Sections, groups and items: codes, texts, settings."""
    yield from twice(
        (section.code, (("section", str(number)),))
        for number, section in enumerate(form.sections, 1)
    )
    yield from twice(_names(form))
    for number, section in enumerate(form.sections, 1):
        place: Place = (("section", str(number)),)
        yield from code_fault(section.code, place)
        yield from words_faults(form.languages, {"title": section.title}, place)
        yield from words_faults(form.languages, {"help": section.help}, place, optional=True)
        if not section.parts:
            yield Fault(place, "nothing_in_it")
        for part in section.parts:
            if isinstance(part, Group):
                yield from _group_faults(form, part, (*place, ("group", part.code)))
            else:
                yield from _item_faults(form, part, (*place, ("item", part.code)))


def _names(form: Form) -> Iterator[tuple[str, Place]]:
    """Every name that a rule can read: items and groups share them."""
    for number, section in enumerate(form.sections, 1):
        for part in section.parts:
            what = "group" if isinstance(part, Group) else "item"
            place: Place = (("section", str(number)), (what, part.code))
            yield part.code, place
            if isinstance(part, Group):
                yield from ((item.code, (*place, ("item", item.code))) for item in part.items)


def _group_faults(form: Form, group: Group, place: Place) -> Iterator[Fault]:
    yield from code_fault(group.code, place)
    yield from words_faults(form.languages, {"title": group.title}, place)
    yield from words_faults(form.languages, {"help": group.help}, place, optional=True)
    if not group.items:
        yield Fault(place, "nothing_in_it")
    least, most = group.rows_least, group.rows_most
    if not group.repeats and (least is not None or most is not None):
        yield Fault(place, "rows_of_one")
    fits = 0 <= (least or 0) <= (MOST_ROWS if most is None else most) <= MOST_ROWS
    if not fits:
        facts = {"least": least or 0, "most": MOST_ROWS if most is None else most}
        yield Fault(place, "rows_crossed", facts)
    for item in group.items:
        yield from _item_faults(form, item, (*place, ("item", item.code)))


def _item_faults(form: Form, item: Item, place: Place) -> Iterator[Fault]:
    yield from code_fault(item.code, place)
    yield from words_faults(form.languages, {"label": item.label}, place)
    yield from words_faults(form.languages, {"help": item.help}, place, optional=True)
    lists = {each.code for each in form.code_lists}
    if item.code_list and item.code_list not in lists:
        yield Fault(place, "no_list", {"code": item.code_list})
    if item.holds in CHOICES and not item.code_list:
        yield Fault(place, "list_needed")
    reasons = {each.code for each in form.missing_codes}
    for code in item.missing_codes:
        if code not in reasons:
            yield Fault(place, "no_missing_code", {"code": code})
        elif code in form.codes_of(item):
            yield Fault(place, "missing_code_twice", {"code": code})
    yield from twice((check.code, (*place, ("check", check.code))) for check in item.checks)
    for check in item.checks:
        here = (*place, ("check", check.code))
        yield from words_faults(form.languages, {"message": check.message}, here)
    yield from settings_faults(form, item, place)


def _rule_faults(form: Form, outside: Terms) -> Iterator[Fault]:
    """Every rule reads what exists, and gives what is wanted of it."""
    plain = terms_of(form, outside=outside)
    by_row = {code: terms_of(form, code, outside) for code in form.groups}
    for number, section in enumerate(form.sections, 1):
        place: Place = (("section", str(number)),)
        yield from _rule_fault(section.show_if, plain, Type.TRUTH, (*place, ("show if", "")))
        for part in section.parts:
            if isinstance(part, Group):
                here: Place = (*place, ("group", part.code), ("show if", ""))
                yield from _rule_fault(part.show_if, plain, Type.TRUTH, here)
    for spot in form.all_spots():
        terms = by_row[spot.rows.code] if spot.rows is not None else plain
        for what, rule, wanted in _rules(spot.item):
            yield from _rule_fault(rule, terms, wanted, (*spot.place, what))


def _rules(item: Item) -> Iterator[tuple[tuple[str, str], str, Type]]:
    yield ("show if", ""), item.show_if, Type.TRUTH
    yield ("required if", ""), item.required_if, Type.TRUTH
    for check in item.checks:
        yield ("check", check.code), check.when or " ", Type.TRUTH
    if item.kind is Kind.COMPUTED and item.result in OF_KIND and item.result is not None:
        yield ("rule", ""), item.rule, OF_KIND[item.result]


def _rule_fault(rule: str, terms: Terms, wanted: Type, place: Place) -> Iterator[Fault]:
    try:
        if rule:
            check_rule(rule, terms, wanted)
    except RuleError as error:
        yield error.at(place)


def _inside_itself(form: Form) -> Iterator[Fault]:
    """A part that is shown only if something inside it was answered: it never would be."""
    for number, section in enumerate(form.sections, 1):
        place: Place = (("section", str(number)),)
        within = [spot.item.code for spot in form.all_spots() if spot.section is section]
        yield from _reads_own(form, section.show_if, within, place)
        for part in section.parts:
            if isinstance(part, Group):
                here = (*place, ("group", part.code))
                names = [part.code, *(item.code for item in part.items)]
                yield from _reads_own(form, part.show_if, names, here)
            else:
                here = (*place, ("item", part.code))
                yield from _reads_own(form, part.show_if, [part.code], here)


def _reads_own(form: Form, rule: str, within: list[str], place: Place) -> Iterator[Fault]:
    read = read_by(form, rule) | _groups_named(rule, form)
    for name in sorted(read & set(within)):
        yield Fault(place, "inside_itself", {"name": name})


def _groups_named(rule: str, form: Form) -> frozenset[str]:
    try:
        return frozenset(names_in(rule)) & form.groups.keys() if rule else frozenset()
    except RuleError:
        return frozenset()


def _ring_faults(form: Form) -> Iterator[Fault]:
    """Items that wait for each other; what stands inside itself was already said."""
    said = {fault.facts["name"] for fault in _inside_itself(form)}
    for ring in cycles_in(graph_of(form)):
        if not said & set(ring):
            yield Fault(form.spots[ring[0]].place, "cycle", {"way": " → ".join(ring)})
