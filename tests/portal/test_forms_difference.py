"""What changed between two versions of a form, and what that risks for collected answers."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from portal.forms.rules.definition import form_from_json
from portal.forms.rules.difference import Change, Risk, at_risk, difference, items_at_risk
from tests.support.definitions import check, form, form_a, form_json, group, item

BASE = form_json(
    item("a", limits={"least": "0", "most": "10"}, unit="g", missing_codes=["nd", "unk"]),
    item("yn", "single choice", code_list="yn"),
    item("name", "text", longest=20, checks=[check("length(name) < 2")]),
    item("dec", "decimal", decimals=2),
    item("twice", "computed", result="decimal", rule="a * 2"),
    group("g", item("b"), repeats=True, rows_most=5),
)


def changed(how: Any) -> list[Change]:
    """The changes that ``how`` makes to the parts of the base form."""
    data = deepcopy(BASE)
    how(data, data["sections"][0]["parts"])
    return difference(form_from_json(BASE), form_from_json(data))


def put(number: int, **settings: Any) -> Any:
    return lambda data, parts: parts[number].update(settings)


@pytest.mark.requirement("CD-202")
@pytest.mark.parametrize(
    ("how", "part", "attribute", "risk"),
    [
        (put(0, label={"en": "A!"}), ("item", "a"), "label.en", None),
        (put(0, help={"en": "more"}), ("item", "a"), "help.en", None),
        (put(0, kind="decimal"), ("item", "a"), "kind", Risk.KIND_CHANGED),
        (put(0, unit="mg"), ("item", "a"), "unit", Risk.UNIT_CHANGED),
        (put(0, limits={"least": "0", "most": "9"}), ("item", "a"), "limits.most", Risk.NARROWED),
        (put(0, limits={"least": "1", "most": "10"}), ("item", "a"), "limits.least", Risk.NARROWED),
        (put(0, limits={"least": "-1", "most": "10"}), ("item", "a"), "limits.least", None),
        (put(0, limits={"least": "0", "most": "100"}), ("item", "a"), "limits.most", None),
        (put(0, limits={"least": "0"}), ("item", "a"), "limits.most", None),
        (put(0, missing_codes=["nd"]), ("item", "a"), "missing_codes", Risk.CODE_REMOVED),
        (put(0, show_if='yn == "yes"'), ("item", "a"), "show_if", Risk.HIDDEN),
        (put(0, required=True), ("item", "a"), "required", None),
        (put(2, longest=10), ("item", "name"), "longest", Risk.NARROWED),
        (put(2, longest=30), ("item", "name"), "longest", None),
        (put(2, pattern="[a-z]*"), ("item", "name"), "pattern", Risk.NARROWED),
        (put(2, checks=[check("length(name) < 3")]), ("item", "name"), "checks.c1.when", None),
        (put(3, decimals=1), ("item", "dec"), "decimals", Risk.NARROWED),
        (put(4, rule="a * 3"), ("item", "twice"), "rule", Risk.RECOMPUTED),
        (put(5, rows_most=4), ("group", "g"), "rows_most", Risk.NARROWED),
        (put(5, rows_most=9), ("group", "g"), "rows_most", None),
    ],
)
def test_a_change_of_one_attribute_is_named_with_its_risk(
    how: Any, part: tuple[str, str], attribute: str, risk: Risk | None
) -> None:
    changes = [each for each in changed(how) if each.attribute == attribute]
    assert [(each.part, each.what, each.risk) for each in changes] == [(part, "changed", risk)]


def test_the_old_and_the_new_value_are_told() -> None:
    assert Change(("item", "a"), "changed", "limits.most", "10", "9", Risk.NARROWED) in changed(
        put(0, limits={"least": "0", "most": "9"})
    )


@pytest.mark.requirement("CD-202")
def test_added_and_removed_items_are_named() -> None:
    assert changed(lambda d, parts: parts.append(item("new"))) == [Change(("item", "new"), "added")]
    assert changed(lambda d, parts: parts.pop(3)) == [
        Change(("item", "dec"), "removed", risk=Risk.REMOVED)
    ]


@pytest.mark.requirement("CD-202")
def test_a_choice_that_goes_puts_every_item_with_its_list_at_risk() -> None:
    changes = changed(lambda data, _: data["code_lists"][0]["choices"].pop())
    assert [each.risk for each in at_risk(changes)] == [Risk.CODE_REMOVED]
    assert items_at_risk(changes, form_from_json(BASE)) == {"yn": (Risk.CODE_REMOVED,)}
    more = {"code": "x", "label": {"en": "x"}}
    assert at_risk(changed(lambda data, _: data["code_lists"][0]["choices"].append(more))) == []
    reasons = changed(lambda data, _: data["missing_codes"].pop())
    assert items_at_risk(reasons, form_from_json(BASE)) == {"a": (Risk.CODE_REMOVED,)}


@pytest.mark.requirement("CD-202")
def test_an_item_that_gets_rows_is_at_risk_and_one_that_only_moves_is_not() -> None:
    def into_rows(data: Any, parts: Any) -> None:
        parts[5]["items"].append(parts.pop(3))

    assert items_at_risk(changed(into_rows), form_from_json(BASE)) == {"dec": (Risk.ROWS_CHANGED,)}

    def first(data: Any, parts: Any) -> None:
        parts.insert(0, parts.pop(3))

    (change,) = changed(first)
    assert (change.part, change.attribute, change.risk) == (("form", ""), "order", None)


def test_the_same_form_differs_in_nothing_and_another_in_everything() -> None:
    assert difference(form_a(), form_a()) == []
    changes = difference(form_a(), form(item("A1", "text")))
    removed = {each.part[1] for each in changes if each.risk is Risk.REMOVED}
    assert removed == set(form_a().spots) - {"A1"}
