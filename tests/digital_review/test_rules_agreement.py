"""Agreement of reviewers: against published figures, by properties, and where there is none."""

from __future__ import annotations

import pytest
from digital_review.rules.agreement import NoKappa, cohen, fleiss
from hypothesis import given
from hypothesis import strategies as st

OUTCOMES = st.sampled_from(("mds", "saa", "fanconi", "none"))
OPINIONS = st.lists(st.lists(OUTCOMES, max_size=6), max_size=12)
PAIRS = st.lists(st.tuples(OUTCOMES, OUTCOMES), max_size=20)

# ten subjects, fourteen raters, five categories: the worked example that text books give of Fleiss
FOURTEEN_RATERS = (
    (0, 0, 0, 0, 14),
    (0, 2, 6, 4, 2),
    (0, 0, 3, 5, 6),
    (0, 3, 9, 2, 0),
    (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0),
    (3, 2, 6, 3, 0),
    (2, 5, 3, 2, 2),
    (6, 5, 2, 1, 0),
    (0, 2, 2, 3, 7),
)


def votes(counts: tuple[int, ...]) -> list[int]:
    return [outcome for outcome, number in enumerate(counts) for _ in range(number)]


def test_fleiss_gives_the_worked_example_of_fourteen_raters() -> None:
    found = fleiss(votes(counts) for counts in FOURTEEN_RATERS)
    assert (found.patients, found.ratings) == (10, 140)
    assert found.percent == pytest.approx(37.8, abs=0.05)
    assert found.kappa == pytest.approx(0.210, abs=0.0005)


def test_cohen_gives_the_worked_example_of_fifty_proposals() -> None:
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    found = cohen(pairs)
    assert found.percent == 70
    assert found.kappa == pytest.approx(0.4)


def test_two_raters_who_never_agree_have_a_kappa_below_zero() -> None:
    found = fleiss([["mds", "saa"], ["saa", "mds"]])
    assert (found.percent, found.kappa) == (0, -1)


def test_a_patient_with_one_opinion_does_not_count() -> None:
    found = fleiss([["mds"], [], ["mds", "mds"], ["saa", "saa"]])
    assert (found.patients, found.ratings, found.kappa) == (2, 4, 1)


@pytest.mark.parametrize("opinions", [[], [[]], [["mds"]], [["mds"], ["saa"]]])
def test_without_two_opinions_on_a_patient_there_is_nothing_to_say(opinions) -> None:
    found = fleiss(opinions)
    assert (found.patients, found.percent, found.kappa) == (0, None, None)
    assert found.why == NoKappa.TOO_FEW


def test_when_everybody_says_the_same_everywhere_there_is_no_kappa() -> None:
    for found in (fleiss([["mds", "mds", "mds"]] * 3), cohen([("mds", "mds")] * 3)):
        assert (found.percent, found.kappa, found.why) == (100, None, NoKappa.ONE_OUTCOME)
    assert cohen([]).why == NoKappa.TOO_FEW


def test_local_and_central_that_are_each_constant_and_differ_agree_as_by_chance() -> None:
    found = cohen([("mds", "saa")] * 5)
    assert (found.percent, found.kappa, found.why) == (0, 0, None)


@given(OPINIONS)
def test_kappa_lies_between_its_bounds_and_follows_percent(opinions) -> None:
    found = fleiss(opinions)
    assert (found.percent is None) == (found.patients == 0)
    assert (found.kappa is None) == (found.why is not None)
    if found.kappa is not None and found.percent is not None:
        assert -1 <= found.kappa <= 1
        assert (found.kappa == 1) == (found.percent == 100)


@given(OPINIONS, st.randoms(use_true_random=False))
def test_neither_the_order_nor_the_names_of_outcomes_matter(opinions, random) -> None:
    names = {"mds": "A", "saa": "B", "fanconi": "C", "none": "D"}
    renamed = [[names[each] for each in patient] for patient in opinions]
    random.shuffle(renamed)
    for patient in renamed:
        random.shuffle(patient)
    assert fleiss(renamed) == fleiss(opinions)


@given(OPINIONS)
def test_everything_said_twice_by_as_many_patients_changes_no_figure(opinions) -> None:
    once, twice = fleiss(opinions), fleiss([*opinions, *opinions])
    assert (once.percent, once.kappa) == (twice.percent, twice.kappa)


@given(PAIRS)
def test_cohen_is_the_same_from_both_sides(pairs) -> None:
    assert cohen(pairs) == cohen([(b, a) for a, b in pairs])


@given(PAIRS)
def test_cohen_is_never_below_fleiss_of_the_same_pairs(pairs) -> None:
    # Fleiss takes both to have the same frequencies, which only raises what chance explains
    theirs, ours = cohen(pairs), fleiss([list(pair) for pair in pairs])
    assert theirs.percent == ours.percent
    if theirs.kappa is not None and ours.kappa is not None:
        assert theirs.kappa >= ours.kappa - 1e-12
