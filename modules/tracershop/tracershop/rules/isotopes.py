"""The isotopes in use, with their half-lives and where each number comes from.

All values are those of ICRP Publication 107, so that the table is of one piece. They were compared
with a machine-readable transcription of its data files (the one in the `radioactivedecay` project),
not with the printed volume. For F-18, N-13 and O-15 the European Pharmacopoeia, table 5.7
(01/2008:50700), has the same value; for C-11 it has 20.385 min.

Newer evaluations differ a little. A site that is held to another one sets the half-life on its own
isotope records; this table is what those records start with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

ICRP_107 = "ICRP Publication 107, Nuclear Decay Data for Dosimetric Calculations (2008)"
ICRP_107_AND_PH_EUR = f"{ICRP_107}; same value in Ph. Eur. table 5.7 (01/2008:50700)"

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86400


@dataclass(frozen=True, slots=True)
class Isotope:
    """`half_life_s` in seconds; `published` is the number as the source prints it."""

    symbol: str
    half_life_s: float
    published: str
    source: str


_TABLE = (
    Isotope("C-11", 20.39 * MINUTE_S, "20.39 min", ICRP_107),
    Isotope("N-13", 9.965 * MINUTE_S, "9.965 min", ICRP_107_AND_PH_EUR),
    Isotope("O-15", 122.24, "122.24 s", ICRP_107_AND_PH_EUR),
    Isotope("F-18", 6586.2, "109.77 min", ICRP_107_AND_PH_EUR),
    Isotope("Cu-64", 12.700 * HOUR_S, "12.700 h", ICRP_107),
    Isotope("Ga-68", 67.71 * MINUTE_S, "67.71 min", ICRP_107),
    Isotope("Rb-82", 1.273 * MINUTE_S, "1.273 min", ICRP_107),
    Isotope("Zr-89", 78.41 * HOUR_S, "78.41 h", ICRP_107),
    Isotope("I-124", 4.1760 * DAY_S, "4.1760 d", ICRP_107),
)

ISOTOPES: Mapping[str, Isotope] = MappingProxyType({isotope.symbol: isotope for isotope in _TABLE})
