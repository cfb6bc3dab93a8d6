"""Rules tried as they are written or put together, and the table of a form's texts."""

from __future__ import annotations

from datetime import date

import pytest

from portal.forms.rules.checking import check_rule
from portal.forms.rules.editing import of_kind
from portal.forms.rules.publishing import faults_of
from portal.forms.rules.terms import Type, terms_of
from portal.forms.rules.trial import Trial, comparisons_for, condition, joined, tried
from portal.forms.rules.values import BadValue, Habits
from portal.forms.rules.wording import texts_of, with_languages, with_text
from tests.support.definitions import check, form, form_a, group, item

pytestmark = pytest.mark.requirement("DR-106")

DAY = date(2026, 11, 22)
FORM = form(
    item("A", missing_codes=["nd"]),
    item("B", "single choice", code_list="yn"),
    item("C", "date"),
    item("D", "boolean"),
    item("F", "file"),
    item("K", "multiple choice", code_list="cell"),
    item("T", "text"),
    item("U", "time"),
    item("P", "partial date"),
    group("g", item("N"), repeats=True),
)
TERMS = terms_of(FORM)


def trial(rule: str, wanted: Type = Type.TRUTH, **typed: str) -> Trial:
    return tried(rule, TERMS, wanted, typed, DAY, Habits())


@pytest.mark.parametrize(
    ("rule", "typed", "result"),
    [
        ("A > 3", {"A": "4"}, True),
        ("A > 3", {"A": "3,0"}, False),
        ("A > 3", {}, None),
        ('marked(A, "nd")', {"A": "!nd"}, True),
        ("A > 3", {"A": "!nd"}, None),
        ('B == "yes" and D', {"B": "yes", "D": "true"}, True),
        ("C < today", {"C": "21-11-2026"}, True),
        ("sum(N) == 6", {"N": "1; 2; 3"}, True),
        ("sum(N) == 6", {"N": "1; ; 3"}, None),
        ("rows(g) == 2", {"g": "2"}, True),
        ('"ery" in K', {"K": "gra; ery"}, True),
        ("answered(F)", {"F": "x"}, True),
        ('U == time("09:30")', {"U": "0930"}, True),
        ('P < date("2026-01-01")', {"P": "2025"}, True),
    ],
)
def test_a_rule_is_worked_out_with_the_values_that_were_typed(
    rule: str, typed: dict[str, str], result: bool | None
) -> None:
    found = trial(rule, **typed)
    assert (found.fault, dict(found.bad), found.result) == (None, {}, result)


def test_what_is_wrong_is_said_with_its_place_and_the_names_are_still_asked() -> None:
    broken = trial("A > > 3")
    assert str(broken.fault) == "the rule cannot be read at character 5, near “>”"
    unknown = trial("A > Zz")
    assert (str(unknown.fault), unknown.names) == (
        "“Zz” is not a name that this rule can read",
        ("A",),
    )
    assert str(trial("A + 1").fault) == "the rule gives a number; here it must give yes or no"
    assert trial("A + 1", Type.NUMBER, A="2").result == 3
    assert list(trial("A > 1", A="x").bad) == ["A"]
    assert list(trial('B == "yes"', B="perhaps").bad) == ["B"]


@pytest.mark.parametrize(
    ("name", "how", "text", "rule"),
    [
        ("A", "<", "3,5", "A < 3.5"),
        ("A", "missing", "", "not answered(A)"),
        ("B", "==", "yes", 'B == "yes"'),
        ("C", ">=", "31-01-2026", 'C >= date("2026-01-31")'),
        ("C", "<", "today", "C < today"),
        ("D", "==", "true", "D == true"),
        ("K", "includes", "ery", '"ery" in K'),
        ("T", "!=", "none", 'T != "none"'),
        ("U", "==", "9:30", 'U == time("09:30")'),
        ("P", "<", "2026-01-01", 'P < date("2026-01-01")'),
        ("F", "answered", "", "answered(F)"),
        ("N", "includes", "3", "3 in N"),
        ("g", ">", "2", "rows(g) > 2"),
    ],
)
def test_a_condition_is_chosen_instead_of_written(
    name: str, how: str, text: str, rule: str
) -> None:
    made = condition(name, TERMS[name], how, text, Habits())
    assert made == rule
    check_rule(made, TERMS, Type.TRUTH)


def test_every_comparison_that_is_offered_can_be_written() -> None:
    examples = {"A": "1", "B": "yes", "C": "2026-01-01", "D": "true", "K": "ery", "T": "x"}
    examples |= {"U": "09:30", "P": "2026-01-01", "F": "", "N": "1", "g": "1"}
    for name, text in examples.items():
        for how in comparisons_for(TERMS[name]):
            check_rule(condition(name, TERMS[name], how, text, Habits()), TERMS, Type.TRUTH)


@pytest.mark.parametrize(
    ("name", "how", "text"),
    [
        ("A", "<", "x"),
        ("A", "<", ""),
        ("B", "==", "perhaps"),
        ("B", "<", "yes"),
        ("T", "==", 'a"b'),
        ("F", "==", "x"),
        ("C", "==", "31-31-2026"),
    ],
)
def test_a_value_that_cannot_be_written_is_refused(name: str, how: str, text: str) -> None:
    with pytest.raises(BadValue):
        condition(name, TERMS[name], how, text, Habits())


def test_conditions_are_joined_so_that_they_mean_what_was_chosen() -> None:
    assert joined("", "and", "A > 1") == "A > 1"
    assert joined("A > 1", "and", "D") == "A > 1 and D"
    assert joined("A > 1 or D", "and", "D") == "(A > 1 or D) and D"
    assert joined("A > 1 and D", "or", "D") == "(A > 1 and D) or D"
    assert joined("D ? D : D", "and", "D") == "(D ? D : D) and D"
    assert joined("A >", "and", "D") == "(A >) and D"


@pytest.mark.requirement("DR-097")
def test_every_text_stands_once_in_the_table_and_can_be_changed_in_each_language() -> None:
    made = form_a()
    table = list(texts_of(made))
    assert len({text.way for text in table}) == len(table)
    assert [text.part for text in table if text.lacks("en") or text.lacks("nl")] == []
    for text in table:
        if text.words:
            made = with_text(made, text.way, "nl", f" {text.way} ")
    assert all(t.words.text("nl") == t.way for t in texts_of(made) if t.words)
    for way, language in (("sections.99.title", "nl"), ("code", "nl"), ("title", "fr"), ("", "nl")):
        with pytest.raises(LookupError):
            with_text(made, way, language, "x")


def test_a_language_more_is_missing_everywhere_and_one_less_takes_its_texts_along() -> None:
    made = form(item("A", checks=[check("A > 1")], help={"en": "Help"}), item("B"))
    more = with_languages(made, ("en", "da"))
    lacking = [(text.part, text.key) for text in texts_of(more) if text.lacks("da")]
    assert lacking[:6] == [
        ("", "title"),
        ("one", "title"),
        ("A", "label"),
        ("A", "help"),
        ("A · c1", "message"),
        ("B", "label"),
    ]
    assert ("B", "help") not in lacking, "nobody needs a help"
    assert faults_of(with_languages(with_text(more, "title", "da", "Lille"), ("en",))) == []


def test_an_item_of_another_kind_keeps_what_has_a_meaning_there() -> None:
    number = form(
        item("A", "decimal", unit="kg", decimals=1, limits={"least": "1"}, personal=True)
    ).spots["A"]
    text = of_kind(number.item, type(number.item.kind)("text"))
    assert (text.unit, text.decimals, text.limits, text.personal) == ("", None, None, True)
