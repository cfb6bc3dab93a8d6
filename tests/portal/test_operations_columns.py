"""Columns of a list: what is shown, what it is sorted by, what pressing a head asks for."""

from __future__ import annotations

import pytest

from portal.operations.columns import Column, Columns

COLUMNS = Columns(
    (
        Column("number", "Number", sort=("patient__number",)),
        Column("initials", "Initials"),
        Column("dose", "Dose", sort=("dose", "pk"), unit="Gy", optional=True),
    ),
    begins_with="number",
)


@pytest.mark.parametrize(
    ("asked", "sort"),
    [("dose", "dose"), ("-dose", "-dose"), ("", "number"), ("initials", "number"), ("x", "number")],
)
def test_only_a_column_that_can_be_sorted_by_is_sorted_by(asked: str, sort: str) -> None:
    assert COLUMNS.sort_of(asked) == sort


def test_what_is_empty_comes_last_either_way() -> None:
    for sort, descending in (("dose", False), ("-dose", True)):
        ordering = COLUMNS.ordering(sort)
        assert [each.expression.name for each in ordering] == ["dose", "pk"]
        assert {(each.descending, each.nulls_last) for each in ordering} == {(descending, True)}


def test_an_optional_column_is_shown_when_asked_for() -> None:
    assert COLUMNS.shown(()) == {"number", "initials"}
    assert COLUMNS.shown({"dose", "nonsense"}) == {"number", "initials", "dose"}


def test_pressing_a_head_twice_turns_the_list_round() -> None:
    def heads(sort: str) -> dict[str, tuple[str, str]]:
        return {each.column.code: (each.sort, each.direction) for each in COLUMNS.heads(sort)}

    assert heads("number")["number"] == ("-number", "ascending")
    assert heads("-number")["number"] == ("number", "descending")
    assert heads("number")["dose"] == ("dose", "")
    assert [each.sortable for each in COLUMNS.heads("number")] == [True, False, True]
    assert [each.column.code for each in COLUMNS.heads("number", {"dose"})] == ["dose"]


def test_a_title_says_the_unit() -> None:
    assert [column.title for column in COLUMNS] == ["Number", "Initials", "Dose (Gy)"]
