"""How far reviewers agree: with one another, and the local with the central diagnosis.

Percent is the share of pairs that agree. Kappa is agreement beyond what the same frequencies would
give by chance: 1 always, 0 as by chance, below 0 less than by chance.

* Several reviewers: J. L. Fleiss, *Measuring nominal scale agreement among many raters*,
  Psychological Bulletin 76 (1971) 378-382. Where not everybody gave an opinion on every patient:
  the same with each patient's own number of opinions, K. L. Gwet, *Handbook of Inter-Rater
  Reliability*, 4th ed. (2014), ch. 2; with equal numbers the two are one.
* Two diagnoses of each patient: J. Cohen, *A coefficient of agreement for nominal scales*,
  Educational and Psychological Measurement 20 (1960) 37-46.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import chain


class NoKappa(StrEnum):
    """Why there is no kappa."""

    TOO_FEW = "too_few"
    """No patient with two opinions: nothing to compare."""
    ONE_OUTCOME = "one_outcome"
    """All opinions are one and the same outcome: chance alone would agree as well, 0 / 0."""


@dataclass(frozen=True)
class Agreement:
    patients: int
    """How many were counted: those with at least two opinions, or with both diagnoses."""
    ratings: int
    """Opinions counted on them."""
    percent: float | None
    """0 to 100; None where nothing was counted."""
    kappa: float | None
    why: NoKappa | None = None


_NOTHING = Agreement(0, 0, None, None, NoKappa.TOO_FEW)


def fleiss(opinions: Iterable[Sequence[Hashable]]) -> Agreement:
    """Of each patient the outcomes that reviewers gave. Patients with fewer than two do not count.

    For patient i with n_i opinions, n_ij of them for outcome j, of N patients:
    P_i = Σ_j n_ij (n_ij - 1) / (n_i (n_i - 1));  P̄ = Σ_i P_i / N;
    p_j = Σ_i (n_ij / n_i) / N;  P_e = Σ_j p_j²;  κ = (P̄ - P_e) / (1 - P_e).
    """
    counted = [Counter(each) for each in opinions if len(each) >= 2]
    if not counted:
        return _NOTHING
    patients = len(counted)
    agreeing, shares = Fraction(0), dict.fromkeys(chain.from_iterable(counted), Fraction(0))
    for votes in counted:
        given = votes.total()
        agreeing += Fraction(sum(n * (n - 1) for n in votes.values()), given * (given - 1))
        for outcome, number in votes.items():
            shares[outcome] += Fraction(number, given * patients)
    expected = sum((share**2 for share in shares.values()), Fraction(0))
    ratings = sum(votes.total() for votes in counted)
    return _agreement(patients, ratings, agreeing / patients, expected)


def cohen(pairs: Iterable[tuple[Hashable, Hashable]]) -> Agreement:
    """Of each patient the local and the central diagnosis.

    P_o = share of patients with equal ones;  P_e = Σ_j p_j(local) p_j(central);
    κ = (P_o - P_e) / (1 - P_e).
    """
    known = list(pairs)
    if not known:
        return _NOTHING
    patients = len(known)
    local, central = Counter(a for a, _ in known), Counter(b for _, b in known)
    observed = Fraction(sum(a == b for a, b in known), patients)
    expected = Fraction(sum(local[each] * central[each] for each in local), patients**2)
    return _agreement(patients, 2 * patients, observed, expected)


def _agreement(patients: int, ratings: int, observed: Fraction, expected: Fraction) -> Agreement:
    percent = float(100 * observed)
    if expected == 1:
        return Agreement(patients, ratings, percent, None, NoKappa.ONE_OUTCOME)
    kappa = (observed - expected) / (1 - expected)
    return Agreement(patients, ratings, percent, float(kappa))
