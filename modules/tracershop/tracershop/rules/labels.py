"""The code on a vial's label: a text that stays the same, short enough for a small QR code.

``TSV:1042:FDG-261121-1``, the vial's number and its lot. Both, so that a label of another
installation, or of a vial whose lot was corrected since, is found out and not taken for this one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARK = "TSV"
_CODE = re.compile(rf"{_MARK}:(?P<vial>[1-9][0-9]{{0,17}}):(?P<lot>\S(?:.{{0,38}}\S)?)")


@dataclass(frozen=True, slots=True)
class VialCode:
    """What a label's code says: which vial, of which lot."""

    vial: int
    lot: str

    def __str__(self) -> str:
        return f"{_MARK}:{self.vial}:{self.lot}"


def vial_code(vial: int, lot: str) -> str:
    """The text of the code. ValueError where it would not read back as the same."""
    code = VialCode(vial, lot)
    if read_vial_code(str(code)) != code:
        raise ValueError(f"vial {vial!r} of lot {lot!r} has no code")
    return str(code)


def read_vial_code(text: str) -> VialCode | None:
    """What a scanner, or a person, gave as the code; None for anything else. Space around it does
    no harm, nor do small letters in its beginning."""
    stripped = text.strip()
    if stripped[: len(_MARK)].upper() == _MARK:
        stripped = _MARK + stripped[len(_MARK) :]
    match = _CODE.fullmatch(stripped)
    return VialCode(int(match["vial"]), match["lot"]) if match else None
