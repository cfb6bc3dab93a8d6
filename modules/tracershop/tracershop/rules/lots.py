"""Lot numbers: PREFIX-yymmdd-n, such as FDG-261121-1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

PREFIX = re.compile(r"[A-Z0-9]+(?:-[A-Z0-9]+)*")
LOT = re.compile(
    r"(?P<prefix>[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*)"
    r"-(?P<yy>[0-9]{2})(?P<mm>[0-9]{2})(?P<dd>[0-9]{2})-(?P<number>[0-9]{1,4})"
)
LONGEST_PREFIX = 32
HIGHEST_NUMBER = 9999
CENTURY = 2000  # two digits of the year, and no lot is older than this system


class LotErrorReason(StrEnum):
    EMPTY = "empty"
    SHAPE = "shape"  # not PREFIX-yymmdd-n
    PREFIX = "prefix"  # longer than a prefix can be
    DATE = "date"  # no such day
    NUMBER = "number"  # numbers begin at 1


class LotError(ValueError):
    """`text` is no lot number, for this `reason`."""

    def __init__(self, reason: LotErrorReason, text: str) -> None:
        super().__init__(f"{reason}: {text!r}")
        self.reason = reason
        self.text = text


@dataclass(frozen=True, slots=True, order=True)
class LotNumber:
    """`prefix` in capitals, the day of filling, and the number of the lot on that day, from 1.

    LotError when they would not make a lot number that reads back as the same.
    """

    prefix: str
    filled_on: date
    number: int

    def __post_init__(self) -> None:
        if PREFIX.fullmatch(self.prefix) is None or len(self.prefix) > LONGEST_PREFIX:
            raise LotError(LotErrorReason.PREFIX, self.prefix)
        if not CENTURY <= self.filled_on.year < CENTURY + 100:
            raise LotError(LotErrorReason.DATE, self.filled_on.isoformat())
        if not 1 <= self.number <= HIGHEST_NUMBER:
            raise LotError(LotErrorReason.NUMBER, str(self.number))

    def __str__(self) -> str:
        return f"{self.prefix}-{self.filled_on:%y%m%d}-{self.number}"


def parse_lot(text: str) -> LotNumber:
    """The lot number that `text` means; space around it and small letters do no harm.

    LotError with the reason otherwise.
    """
    stripped = text.strip()
    if not stripped:
        raise LotError(LotErrorReason.EMPTY, text)
    match = LOT.fullmatch(stripped)
    if match is None:
        raise LotError(LotErrorReason.SHAPE, text)
    try:
        filled_on = date(CENTURY + int(match["yy"]), int(match["mm"]), int(match["dd"]))
    except ValueError:
        raise LotError(LotErrorReason.DATE, text) from None
    try:
        return LotNumber(match["prefix"].upper(), filled_on, int(match["number"]))
    except LotError as error:
        raise LotError(error.reason, text) from None
