"""Radioactive decay: A(t) = A(0) · 2^(-t / T½).

The law of radioactive decay, written with the half-life T½ (quantities as in ISO 80000-10).
"""

from __future__ import annotations

import math
from datetime import datetime

from tracershop.rules.moments import as_utc, elapsed_s

# Sums of products of floats end a few units of the last place beside the whole number they mean;
# this much, relative to the amount, counts as the whole number itself.
FLOAT_DUST = 1e-9

# 1 PBq: a thousand times a cyclotron's day. What comes out above is a mistyped time or amount.
LARGEST_ACTIVITY_MBQ = 1e9


class ActivityTooLargeError(ValueError):
    """The activity asked for is beyond anything that can be produced."""


def decay_factor(half_life_s: float, elapsed_s: float) -> float:
    """What remains of 1 after `elapsed_s` seconds: 2^(-elapsed/T½).

    A negative `elapsed_s` looks back in time and gives a factor above 1. ValueError when the
    half-life is not a positive number or the elapsed time is not a number;
    ActivityTooLargeError when it lies so many half-lives back that no float holds the factor.
    """
    if not (math.isfinite(half_life_s) and half_life_s > 0):
        raise ValueError(f"half_life_s must be a positive number of seconds, not {half_life_s!r}")
    if not math.isfinite(elapsed_s):
        raise ValueError(f"elapsed_s must be a number of seconds, not {elapsed_s!r}")
    try:
        return float(2.0 ** (-elapsed_s / half_life_s))
    except OverflowError:
        raise ActivityTooLargeError(f"elapsed_s {elapsed_s!r}: too many half-lives back") from None


def activity_at(
    activity_mbq: float, half_life_s: float, measured_at: datetime, wanted_at: datetime
) -> float:
    """The activity (MBq) at `wanted_at` of what is `activity_mbq` at `measured_at`.

    Forward and backward in time; in real time, so that a night on which the clocks change is
    right. ValueError naming the argument for a naive datetime or a negative activity;
    ActivityTooLargeError when the result is above `LARGEST_ACTIVITY_MBQ`.
    """
    if not (math.isfinite(activity_mbq) and activity_mbq >= 0):
        raise ValueError(f"activity_mbq must be zero or more, not {activity_mbq!r}")
    passed_s = elapsed_s(as_utc(measured_at, "measured_at"), as_utc(wanted_at, "wanted_at"))
    wanted_mbq = activity_mbq * decay_factor(half_life_s, passed_s)
    if wanted_mbq > LARGEST_ACTIVITY_MBQ:
        raise ActivityTooLargeError(f"{wanted_mbq:g} MBq at {wanted_at.isoformat()}")
    return wanted_mbq


def round_up_mbq(exact_mbq: float) -> int:
    """`exact_mbq` rounded up to whole MBq, forgiving float dust: 1000.0000000001 is 1000.

    Never less than was asked for by more than one part in 10⁹. ValueError for a negative amount
    or one that is not a number.
    """
    if not (math.isfinite(exact_mbq) and exact_mbq >= 0):
        raise ValueError(f"exact_mbq must be zero or more, not {exact_mbq!r}")
    nearest = round(exact_mbq)
    if math.isclose(exact_mbq, nearest, rel_tol=FLOAT_DUST):
        return nearest
    return math.ceil(exact_mbq)
