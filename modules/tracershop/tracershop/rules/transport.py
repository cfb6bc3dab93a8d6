"""Carriage by road of radioactive material: what ADR lets leave in which package, and says of it.

Only what a PET production sends: liquids, neither special form nor fissile, in type A or excepted
packages, not under exclusive use. Anything else is refused, not guessed.

Where the numbers come from. ADR takes them over from IAEA SSR-6 (Rev. 1), whose paragraphs bear
other numbers. They were compared with published transcriptions of the printed tables, not with the
printed ADR itself: whoever is the house's safety adviser (ADR 1.8.3) confirms them.

* A2: ADR table 2.2.7.2.2.1 = SSR-6 table 2. C-11, N-13, F-18, Cu-64, Ga-68 and I-124 were read in a
  transcription of the same table in IATA's regulations. O-15 and Zr-89 are not in that table, Rb-82
  was not looked up: these have the general value of ADR table 2.2.7.2.2.2 for a single nuclide that
  is known to emit beta or gamma rays only, 0.02 TBq, which is below every value of such a nuclide.
* Excepted packages: ADR table 2.2.7.2.4.1.2, liquids: 10⁻⁴ A2 a package (read in an excerpt of
  49 CFR 173.425, which has SSR-6's table); at most 5 µSv/h at the surface (SSR-6 para. 516).
* Mixtures: the sum of activity over limit is at most 1 (ADR 2.2.7.2.2.4, 2.2.7.2.4.4).
* Transport index: ADR 5.1.5.3.1, category: ADR table 5.1.5.3.4 (both read in ADR 2013 and 2023).
* Description: ADR 5.4.1.1.1 (a) to (c) and (k), then 5.4.1.2.5.1 (a) to (e) (read in ADR 2017).
  Tunnel restriction code (E) of UN 2915: ADR table A, column 15; of this no text was found to
  compare with beyond ADR 1.9.5.2.2, that category E bars what has no "(—)". For an excepted package
  the chapter on documents asks for UN number, consignor and consignee alone (ADR 5.1.5.4.2).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from types import MappingProxyType

from tracershop.rules.decay import FLOAT_DUST
from tracershop.rules.findings import Finding, Ref

MBQ_IN_TBQ = 1e6
EXCEPTED_SHARE_OF_A2 = 1e-4
EXCEPTED_SURFACE_MSV_H = 0.005
HIGHEST_MSV_H = 10
"""At the surface of any package, exclusive use or not (ADR 4.1.9.1.12)."""
CLASS = "7"


class PackageKind(StrEnum):
    TYPE_A = "type_a"
    EXCEPTED = "excepted"


class Category(StrEnum):
    """As the transport document and the label on the package write it."""

    WHITE_I = "I-WHITE"
    YELLOW_II = "II-YELLOW"
    YELLOW_III = "III-YELLOW"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of ADR table A: in capitals the proper shipping name, then its descriptive text."""

    un_number: str
    name: str
    tunnel_code: str


ENTRIES: Mapping[PackageKind, Entry] = MappingProxyType(
    {
        PackageKind.TYPE_A: Entry(
            "UN 2915",
            "RADIOACTIVE MATERIAL, TYPE A PACKAGE, non-special form,"
            " non fissile or fissile-excepted",
            "(E)",
        ),
        PackageKind.EXCEPTED: Entry(
            "UN 2910",
            "RADIOACTIVE MATERIAL, EXCEPTED PACKAGE - LIMITED QUANTITY OF MATERIAL",
            "",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Limit:
    """A2 in TBq, and the table it stands in."""

    a2_tbq: float
    source: str

    @property
    def a2_mbq(self) -> float:
        return self.a2_tbq * MBQ_IN_TBQ


_LISTED = "ADR table 2.2.7.2.2.1"
_GENERAL = Limit(0.02, "ADR table 2.2.7.2.2.2, beta or gamma emitters only")

LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        "C-11": Limit(0.6, _LISTED),
        "N-13": Limit(0.6, _LISTED),
        "O-15": _GENERAL,
        "F-18": Limit(0.6, _LISTED),
        "Cu-64": Limit(1.0, _LISTED),
        "Ga-68": Limit(0.5, _LISTED),
        "Rb-82": _GENERAL,
        "Zr-89": _GENERAL,
        "I-124": Limit(1.0, _LISTED),
    }
)


@dataclass(frozen=True, slots=True)
class Content:
    """What of one nuclide is in a package as it leaves."""

    isotope: str
    activity_mbq: float


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """A package as it stands ready: `number` is what findings name it by."""

    number: Ref
    kind: PackageKind
    contents: Sequence[Content]
    surface_msv_h: float
    at_1m_msv_h: float


class PackageObstacleCode(StrEnum):
    EMPTY = "empty"
    NUCLIDE_WITHOUT_LIMIT = "nuclide_without_limit"
    OVER_A2 = "over_a2"
    OVER_EXCEPTED_LIMIT = "over_excepted_limit"
    EXCEPTED_SURFACE = "excepted_surface"
    SURFACE_TOO_HIGH = "surface_too_high"
    NEEDS_EXCLUSIVE_USE = "needs_exclusive_use"
    FARTHER_IS_STRONGER = "farther_is_stronger"


PackageObstacle = Finding[PackageObstacleCode]


def transport_index(at_1m_msv_h: float) -> float:
    """The greatest dose rate at 1 m in mSv/h, times 100, rounded up to the first decimal; what is
    0.05 or less counts as 0 (ADR 5.1.5.3.1). ValueError for no dose rate."""
    index = _decimal(at_1m_msv_h, "at_1m_msv_h") * 100
    if index <= Decimal("0.05"):
        return 0.0
    return float(index.quantize(Decimal("0.1"), rounding=ROUND_CEILING))


def category(index: float, surface_msv_h: float) -> Category | None:
    """The higher of what transport index and dose rate at the surface ask for (ADR 5.1.5.3.4).

    None for what may only be carried under exclusive use, or not at all. ValueError for no number.
    """
    surface = float(_decimal(surface_msv_h, "surface_msv_h"))
    if not (math.isfinite(index) and index >= 0):
        raise ValueError(f"index must be zero or more, not {index!r}")
    for found, highest_index, highest_surface in (
        (Category.WHITE_I, 0, 0.005),
        (Category.YELLOW_II, 1, 0.5),
        (Category.YELLOW_III, 10, 2),
    ):
        if index <= highest_index and surface <= highest_surface:
            return found
    return None


def share_of_limit(kind: PackageKind, contents: Iterable[Content]) -> float:
    """Activity over limit, summed over the nuclides: above 1 is too much for such a package.

    KeyError for a nuclide without a limit here.
    """
    share_of_a2 = math.fsum(each.activity_mbq / LIMITS[each.isotope].a2_mbq for each in contents)
    return share_of_a2 / EXCEPTED_SHARE_OF_A2 if kind is PackageKind.EXCEPTED else share_of_a2


def package_obstacles(package: PackageFacts) -> list[PackageObstacle]:
    """Everything that stands against the package leaving as what it is said to be."""
    code, where = PackageObstacleCode, {"package": package.number}
    found = []
    surface = _decimal(package.surface_msv_h, "surface_msv_h")
    at_1m = _decimal(package.at_1m_msv_h, "at_1m_msv_h")
    if not package.contents:
        found.append(PackageObstacle(code.EMPTY, where))
    unknown = sorted({each.isotope for each in package.contents} - LIMITS.keys())
    if unknown:
        found.append(
            PackageObstacle(code.NUCLIDE_WITHOUT_LIMIT, {**where, "isotopes": tuple(unknown)})
        )
    elif (share := share_of_limit(package.kind, package.contents)) > 1 + FLOAT_DUST:
        excepted = package.kind is PackageKind.EXCEPTED
        found.append(
            PackageObstacle(
                code.OVER_EXCEPTED_LIMIT if excepted else code.OVER_A2, {**where, "times": share}
            )
        )
    if at_1m > surface:
        found.append(
            PackageObstacle(
                code.FARTHER_IS_STRONGER, {**where, "surface_msv_h": surface, "at_1m_msv_h": at_1m}
            )
        )
    if surface > HIGHEST_MSV_H:
        found.append(PackageObstacle(code.SURFACE_TOO_HIGH, {**where, "surface_msv_h": surface}))
    elif package.kind is PackageKind.EXCEPTED:
        if surface > _decimal(EXCEPTED_SURFACE_MSV_H, "limit"):
            found.append(
                PackageObstacle(code.EXCEPTED_SURFACE, {**where, "surface_msv_h": surface})
            )
    elif category(transport_index(package.at_1m_msv_h), package.surface_msv_h) is None:
        found.append(
            PackageObstacle(
                code.NEEDS_EXCLUSIVE_USE,
                {
                    **where,
                    "surface_msv_h": surface,
                    "index": Decimal(str(transport_index(package.at_1m_msv_h))),
                },
            )
        )
    return found


def in_bq(activity_mbq: float) -> tuple[float, str]:
    """The activity in the largest unit of which there is at least one, and that unit: Bq with an SI
    prefix, as ADR 5.4.1.2.5.1 (c) asks. ValueError for a negative one or none."""
    if not (math.isfinite(activity_mbq) and activity_mbq >= 0):
        raise ValueError(f"activity_mbq must be zero or more, not {activity_mbq!r}")
    for unit, in_mbq in (("TBq", 1e6), ("GBq", 1e3), ("MBq", 1.0), ("kBq", 1e-3)):
        if activity_mbq >= in_mbq:
            return activity_mbq / in_mbq, unit
    return activity_mbq * 1e6, "Bq"


def proper_description(kind: PackageKind) -> str:
    """UN number, proper shipping name, class and tunnel code, in ADR's order (5.4.1.1.1 (a), (b),
    (c), (k)); of an excepted package what 5.1.5.4.2 asks for, with its name."""
    entry = ENTRIES[kind]
    parts = [f"{entry.un_number} {entry.name}", CLASS]
    return ", ".join(parts + ([entry.tunnel_code] if entry.tunnel_code else []))


def _decimal(value: float, name: str) -> Decimal:
    """As it was typed: 0.0113 mSv/h is an index of 1.2 and not, by binary dust, of 1.1 or 1.3."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be zero or more, not {value!r}")
    return Decimal(str(value))
