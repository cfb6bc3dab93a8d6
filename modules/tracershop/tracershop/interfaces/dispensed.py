"""What a dispenser tells of a vial it has filled: the same value whatever the file it came in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from tracershop.interfaces.errors import Reason


class ValueStatus(StrEnum):
    """How the dispensed activity came to be known: did a person type it?"""

    INSTRUMENT = "instrument"
    KEYBOARD = "keyboard"
    KEYBOARD_REENTERED = "keyboard_reentered"


@dataclass(frozen=True, kw_only=True)
class DispensedVial:
    """One vial. Empty text and None: the file does not say. `filled_at`, `expires_at` are aware.

    `customer_id` is the dispenser's own number; `part` names the vial within the batch, `position`
    its place in the dispenser; `product` is what the dispenser calls the isotope.
    """

    lot: str
    customer_id: int | None
    customer_name: str
    filled_at: datetime
    activity_mbq: float  # at filled_at
    volume_ml: float
    product: str = ""
    expires_at: datetime | None = None
    dispenser: str = ""
    part: str = ""
    position: str = ""
    gross_g: float | None = None
    tare_g: float | None = None
    net_g: float | None = None
    value_status: ValueStatus | None = None

    @property
    def identity(self) -> tuple[str, str, datetime, float, float]:
        """Equal for two reports of one vial (TS-061): lot, customer, fill time (UTC), activity
        (MBq) and volume (ml) to three decimals.

        The customer is the dispenser's number where there is one, else the name in any case. The
        two kinds of file may name one customer differently: who knows the customers compares them.
        """
        customer = self.customer_name.casefold()
        if self.customer_id is not None:
            customer = str(self.customer_id)
        filled_at = self.filled_at.astimezone(UTC)
        return self.lot, customer, filled_at, round(self.activity_mbq, 3), round(self.volume_ml, 3)


@dataclass(frozen=True)
class BadRow:
    """Rows that give no vial: lines of the text file, or rows of the sheet, the first being 1."""

    row_numbers: tuple[int, ...]
    where: str
    reason: Reason


@dataclass(frozen=True)
class TableResult:
    """What a file gives. `vial_rows[i]` are the rows that `vials[i]` came from."""

    vials: list[DispensedVial]
    bad_rows: list[BadRow]
    vial_rows: list[tuple[int, ...]]
