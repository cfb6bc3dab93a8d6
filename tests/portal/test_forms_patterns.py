"""Patterns of texts: the same as regular expressions, and never slow."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.forms.rules.patterns import MOST_CHARACTERS, PatternError, read_pattern

atoms = st.sampled_from(["a", "b", "0", ".", r"\d", r"\w", r"\s", r"\.", "[ab]", "[^a]", "[a-c0-]"])
patterns = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("|".join).map("({})".format),
        st.tuples(
            inner.map("({})".format), st.sampled_from(["?", "*", "+", "{2}", "{1,}", "{0,2}"])
        ).map("".join),
    ),
    max_leaves=8,
)


@given(patterns, st.text(alphabet="ab0c. -", max_size=8))
@settings(max_examples=400, deadline=None)
def test_a_pattern_matches_what_the_regular_expression_does(pattern: str, text: str) -> None:
    expected = re.fullmatch(pattern, text) is not None
    assert read_pattern(pattern).matches(text) == expected


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (r"\d{2}-\d{3}", "12-345", "1-2345"),
        (r"[A-Z]{2,3}", "ABC", "A"),
        (r"(NL|CZ)\d+", "CZ7", "DK7"),
        (r"46,X[XY](,.*)?", "46,XY,-7", "45,XO"),
        ("", "", "a"),
        ("a{0}", "", "a"),
    ],
)
def test_patterns_of_this_field(pattern: str, yes: str, no: str) -> None:
    assert read_pattern(pattern).matches(yes)
    assert not read_pattern(pattern).matches(no)


@pytest.mark.parametrize("pattern", ["(a+)+", "(a|a)*", "(a*)*b", "(.*)*x", "a?" * 30 + "a" * 30])
def test_patterns_that_blow_up_elsewhere_stay_within_their_states(pattern: str) -> None:
    machine = read_pattern(pattern)
    read = 0

    def counted(text: str) -> str:
        nonlocal read
        read += 1
        return text

    tests = [each and (lambda c, t=each[0]: t(counted(c)), each[1]) for each in machine.reads]
    machine.reads[:] = tests
    try:
        machine.matches("a" * 500 + "!")
    finally:
        read_pattern.cache_clear()
    assert read <= 501 * len(machine.reads)


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "(",
            ")",
            "(a",
            "a)",
            "[",
            "[]",
            "[b-a]",
            "*",
            "a**",
            "a{",
            "a{2,1}",
            "a{x}",
            r"\b",
            r"\1",
        ),
        *(
            r"\1",
            "(?=a)",
            "^a",
            "a$",
            "\\",
            "[[]",
            "(" * 30 + ")" * 30,
            "a" * (MOST_CHARACTERS + 1),
        ),
        *("((a{999}){999}){999}", "(){999}" * 20, "a{2}{3}"),
    ],
)
def test_what_is_no_pattern_of_ours_is_refused_with_the_character(pattern: str) -> None:
    with pytest.raises(PatternError) as caught:
        read_pattern(pattern)
    assert 0 <= caught.value.position <= len(pattern)
    assert caught.value.reason


@given(st.text(alphabet=r"ab(){}[]|?*+^$\.-,0129d ", max_size=20), st.text(max_size=5))
@settings(max_examples=400, deadline=None)
def test_no_text_makes_a_pattern_raise_anything_else(pattern: str, text: str) -> None:
    try:
        read_pattern(pattern).matches(text)
    except PatternError as error:
        assert error.reason  # noqa: PT017
