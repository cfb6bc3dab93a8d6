"""The acts of the form editor: parts are added, moved, copied, renamed, and rules follow."""

from __future__ import annotations

from typing import Any

import pytest

from portal.forms.rules.definition import Form, Item, form_from_json, form_to_json
from portal.forms.rules.editing import added, duplicated, moved, moved_to
from portal.forms.rules.mending import usable_part_of
from portal.forms.rules.publishing import faults_of
from portal.forms.rules.renaming import readers_of, recoded
from portal.forms.rules.tree import Address, address_of, children, part_at, walk, without_part
from tests.support.definitions import check, form, form_a, form_json, group, item

pytestmark = pytest.mark.requirement("DR-106")


def outline(made: Form) -> list[Any]:
    """Codes, groups and sections as lists of them."""

    def of(part: Any) -> Any:
        return part.code if isinstance(part, Item) else [of(each) for each in children(part)]

    return [of(each) for each in made.sections]


def at_of(made: Form, code: str) -> Address:
    return next(at for at, part in walk(made) if at and part.code == code)


def two_sections() -> Form:
    data = form_json(item("A"), group("g", item("B"), item("C")), item("D"))
    data["sections"].append({"code": "two", "title": {"en": "Two"}, "parts": [item("E")]})
    return form_from_json(data)


def test_a_new_part_comes_after_the_chosen_one_with_a_code_and_a_text_of_its_own() -> None:
    made = two_sections()
    new, at = added(made, (0, 0), "decimal")
    assert (at, outline(new)[0][1]) == ((0, 1), "item")
    assert part_at(new, at).kind == "decimal"  # type: ignore[union-attr]
    assert added(made, (0, 1), "text")[1] == (0, 1, 2), "into the chosen group, at its end"
    assert added(made, (0, 1, 0), "text")[1] == (0, 1, 1)
    assert added(made, (0, 1, 0), "group")[1] == (0, 2), "groups are not nested"
    assert added(made, (0, 1, 0), "section")[1] == (1,)
    assert added(made, (), "text")[1] == (1, 1), "at the end of the form"
    again, _ = added(new, (0, 0), "decimal")
    assert {"item", "item_2"} <= again.spots.keys()
    with pytest.raises(LookupError):
        added(form_from_json(form_json(sections=[])), (), "text")
    with pytest.raises(LookupError):
        added(made, (7,), "text")


def test_a_part_moves_step_by_step_through_groups_and_sections() -> None:
    made, at = two_sections(), (0, 0)
    seen = []
    for _ in range(7):
        made, at = moved(made, at, 1)
        seen.append(outline(made))
    assert seen == [
        [[["A", "B", "C"], "D"], ["E"]],
        [[["B", "A", "C"], "D"], ["E"]],
        [[["B", "C", "A"], "D"], ["E"]],
        [[["B", "C"], "A", "D"], ["E"]],
        [[["B", "C"], "D", "A"], ["E"]],
        [[["B", "C"], "D"], ["A", "E"]],
        [[["B", "C"], "D"], ["E", "A"]],
    ]
    for _ in range(7):
        made, at = moved(made, at, -1)
    assert outline(made) == outline(two_sections())
    assert moved(made, (0, 0), -1)[0] == made, "nowhere to go"
    assert outline(moved(made, (0, 1), 1)[0]) == [["A", "D", ["B", "C"]], ["E"]]
    assert outline(moved(made, (1,), -1)[0]) == [["E"], ["A", ["B", "C"], "D"]]


def test_a_part_is_put_before_another_wherever_it_may_stand() -> None:
    made = two_sections()
    assert outline(moved_to(made, (0, 0), (1, 0))[0]) == [[["B", "C"], "D"], ["A", "E"]]
    assert outline(moved_to(made, (0, 0), (0, 1, 1))[0]) == [[["B", "A", "C"], "D"], ["E"]]
    assert outline(moved_to(made, (1, 0), (0, 0))[0]) == [["E", "A", ["B", "C"], "D"], []]
    assert outline(moved_to(made, (0, 1, 0), (0, 3))[0]) == [["A", ["C"], "D", "B"], ["E"]]
    for at, to in (((0, 1), (0, 1, 0)), ((0,), (0, 1)), ((0, 0), (5, 0)), ((0, 0), (0, 9))):
        with pytest.raises(LookupError):
            moved_to(made, at, to)


def test_a_copy_has_codes_of_its_own_and_its_rules_follow_them() -> None:
    made = form(
        group("g", item("A"), item("B", show_if="A > 1 and C > 2"), repeats=True), item("C")
    )
    new, at = duplicated(made, (0, 0))
    assert at == (0, 1)
    assert outline(new) == [[["A", "B"], ["A_2", "B_2"], "C"]]
    assert new.spots["B_2"].item.show_if == "A_2 > 1 and C > 2"
    assert new.spots["B"].item.show_if == "A > 1 and C > 2"
    assert faults_of(new) == []


@pytest.mark.parametrize(
    ("rule", "after"),
    [
        ("A > 1", "X > 1"),
        ("not answered(A) and A2 > A", "not answered(X) and A2 > X"),
        ('B == "A" ? A : 1', 'B == "A" ? X : 1'),
        ("sum(g.A) + precrf.A", "sum(g.X) + precrf.A"),
        ("A.B == A", "A.B == X"),
        ("  A<1  ", "  X<1  "),
        ("A > ", "A > "),
    ],
)
def test_renaming_an_item_changes_its_name_in_rules_and_nothing_else(rule: str, after: str) -> None:
    made = form(group("g", item("A"), repeats=True), item("Z", show_if=rule))
    assert recoded(made, at_of(made, "A"), "X").spots["Z"].item.show_if == after


def test_renaming_follows_into_every_kind_of_rule() -> None:
    made = form(
        group("g", item("A"), repeats=True, show_if="Q > 1"),
        item("Q", required_if="rows(g) > 1", checks=[check("sum(g.A) > Q")]),
        item("R", "computed", result="integer", rule="Q + count(A)"),
    )
    new = recoded(recoded(made, (0, 0), "results"), (0, 1), "question")
    assert new.groups["results"].show_if == "question > 1"
    assert new.spots["question"].item.required_if == "rows(results) > 1"
    assert new.spots["question"].item.checks[0].when == "sum(results.A) > question"
    assert new.spots["R"].item.rule == "question + count(A)"
    assert form_to_json(recoded(recoded(new, (0, 0), "g"), (0, 1), "Q")) == form_to_json(made)


def test_of_two_parts_with_one_code_only_the_chosen_one_is_renamed_and_no_rule() -> None:
    made = form(item("A"), item("A"), item("B", show_if="A > 1"))
    new = recoded(made, (0, 1), "X")
    assert outline(new) == [["A", "X", "B"]]
    assert new.spots["B"].item.show_if == "A > 1"
    section = recoded(form(item("one"), item("B", show_if="one > 1")), (0,), "two")
    assert section.spots["B"].item.show_if == "one > 1"


def test_what_reads_a_part_is_told_before_it_goes() -> None:
    made = form(
        group("g", item("A"), repeats=True),
        item("B", show_if="count(g.A) > 1"),
        item("C", checks=[check("rows(g) > 3")]),
        item("D", show_if='precrf.A == "x"'),
    )
    assert readers_of(made, frozenset({"A"})) == [((0, 1), "show_if", "count(g.A) > 1")]
    assert [key for _, key, _ in readers_of(made, frozenset({"g"}))] == ["show_if", "check c1"]
    assert outline(without_part(made, (0, 0))) == [["B", "C", "D"]]


def test_a_fault_leads_to_its_part() -> None:
    made = form(item("A"), group("g", item("B", show_if="Z")), item("A"))
    faults = faults_of(made)
    assert [address_of(made, fault.place) for fault in faults] == [(0, 2), (0, 1, 0)]
    assert address_of(made, (("code list", "yn"),)) == ()
    assert address_of(made, (("section", "9"), ("item", "A"))) == ()


def test_the_preview_of_a_faulty_draft_leaves_out_what_is_faulty_and_keeps_the_rest() -> None:
    made = form(
        item("A", label={}),
        item("B", show_if="Z > 1"),
        item("C", "single choice", code_list="none"),
        item("D", "text", unit="kg", checks=[check("D >")]),
        item("A"),
        item("E", "computed"),
        group("g", show_if="F > 1"),
        item("F", show_if="G > 1"),
        item("G", show_if="F > 1"),
    )
    usable = usable_part_of(made)
    assert usable is not None
    assert list(usable.form.spots) == ["A", "B", "D", "F", "G"]
    assert usable.form.spots["A"].item.label.text("en") == "A"
    assert usable_part_of(form_from_json(form_json(sections=[]))) is None
    assert usable_part_of(form_from_json(form_json(item("A"), code="1", languages=[]))) is not None


def test_the_preview_of_a_whole_form_is_the_form() -> None:
    usable = usable_part_of(form_a())
    assert usable is not None
    assert usable.form.spots.keys() == form_a().spots.keys()
    assert len(list(walk(usable.form))) == len(list(walk(form_a())))
