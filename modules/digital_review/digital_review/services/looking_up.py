"""Who a patient number stands for, as the registry says (UC3, UC5, UC16)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from digital_review.rules.numbers import LONGEST, clean_number
from digital_review.selectors.laboratory import LABORATORY, RESULTS
from digital_review.services.cases import PatientFacts
from portal.connectors.problems import Code, Problem
from portal.connectors.services import prepare, read
from portal.organisation.models import Unit

REGISTRY, PATIENT = "registry", "patient"


@dataclass(frozen=True)
class LookedUp:
    """What the registry says of a number; nothing of it is kept by asking."""

    number: str
    known: bool = False
    initials: str = ""
    born_on: date | None = None
    hospital: Unit | None = None
    """None: it names none that the portal knows."""
    as_of: datetime | None = None
    fresh: bool = True
    problem: str = ""
    """Why the registry says nothing, in words; then the patient may be typed in."""

    @property
    def is_unknown(self) -> bool:
        """The registry has no such patient: then nothing is begun (UC5)."""
        return not self.known and not self.problem

    def facts(self, *, hospital: Unit | None = None) -> PatientFacts:
        """To begin a case with, with a hospital chosen where the registry names none."""
        place = self.hospital or hospital
        return PatientFacts(
            number=self.number,
            hospital_id=place.pk if place is not None else 0,
            initials=self.initials,
            born_on=self.born_on,
            as_of=self.as_of,
        )


def look_up(number: str) -> LookedUp:
    """Ask the registry, within its time-outs; what it said before is answered at once."""
    cleaned = clean_number(number)
    if not cleaned or len(cleaned) > LONGEST:
        return LookedUp(cleaned)
    prepare(LABORATORY, RESULTS, cleaned)  # its results are first values of the forms
    reading = read(REGISTRY, PATIENT, cleaned)
    if not reading.is_known:
        return LookedUp(cleaned, problem=reading.problem.words if reading.problem else "")
    if reading.value is None:
        return LookedUp(cleaned)
    return _said(cleaned, reading.value, reading.as_of, fresh=reading.fresh)


def _said(number: str, value: Any, as_of: datetime | None, *, fresh: bool) -> LookedUp:
    """What can be read of the answer; of one that is strange, or of somebody else, nothing."""
    said = value if isinstance(value, dict) else {}
    if clean_number(str(said.get("number") or "")) != number:
        return LookedUp(number, problem=Problem(Code.WRONG).words)
    code = str(said.get("hospital") or "")
    hospitals = Unit.objects.open().filter(kind=Unit.Kind.HOSPITAL, code=code)
    return LookedUp(
        number,
        known=True,
        initials=str(said.get("initials") or "")[:20],
        born_on=_day(said.get("born_on")),
        hospital=hospitals.first(),
        as_of=as_of,
        fresh=fresh,
    )


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
