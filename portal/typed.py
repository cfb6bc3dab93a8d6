"""Numbers and times as people type them, as values: pure, for the portal and for rules alike.

It lies beside the floors: `portal.records.fields` reads what is typed into Django's forms with it,
and `portal.forms.rules`, which may know nothing of records, what is typed into designed ones.
"""

from __future__ import annotations

import re
from datetime import time
from decimal import Decimal

LONGEST_NUMBER = 30
_SPACES = re.compile(r"\s")
_NUMBER = re.compile(r"-?(?:\d+(?:[.,]\d+)?|[.,]\d+)", re.ASCII)
_THOUSANDS = re.compile(r"-?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2})[:.]?(\d{2})", re.ASCII)


class BadValue(ValueError):  # noqa: N818 named for what it is
    """What was typed is no value of the kind: a code and the facts for the words."""

    def __init__(self, code: str, **facts: object) -> None:
        self.code, self.facts = code, facts
        super().__init__(f"{code} {facts}")


def number_typed(text: str) -> Decimal:
    """With decimal comma or point; spaces group digits. BadValue.

    Also for ``1.200`` or ``1,200``: to one reader that is 1.2, to another 1200, and between the two
    lies a factor of a thousand.
    """
    plain = _SPACES.sub("", text).replace("−", "-")
    if _THOUSANDS.fullmatch(plain):
        decimals = plain.rstrip("0") if plain.endswith("0") else f"{plain}0"
        thousands = plain[:-4] + plain[-3:]
        raise BadValue("ambiguous", text=plain, thousands=thousands, decimals=decimals.rstrip(",."))
    if not is_number(plain):
        raise BadValue("no_number", text=text[:60])
    return Decimal(plain.replace(",", "."))


def is_number(text: str) -> bool:
    """Whether it is written as a number, and not longer than a person may type."""
    return len(text) <= LONGEST_NUMBER and _NUMBER.fullmatch(text) is not None


def time_typed(text: str) -> time:
    """``9:30``, ``09.30`` or ``0930`` on a 24-hour clock. BadValue."""
    if found := _CLOCK.fullmatch(text.strip()):
        hour, minute = int(found[1]), int(found[2])
        if hour < 24 and minute < 60:
            return time(hour, minute)
    raise BadValue("no_time", text=text[:60])
