"""Where and by whom the demo's reviews are done. All people and both hospitals are invented."""

from __future__ import annotations

from portal.operations.demo import DemoPerson
from portal.organisation.models import Unit

CENTRE, REVIEW = "boerneonko", "mds-bmf-review"
WEST, NORTH = "bh-vesterhav", "bh-limfjord"
HOSPITALS = (WEST, NORTH, "hosp-north", "hosp-south")
"""Who sends patients: two hospitals of children's oncology, and the region's two hospitals."""

_UNITS = (
    (REVIEW, "Central review, MDS og knoglemarvssvigt", Unit.Kind.DEPARTMENT),
    (WEST, "Børnehospitalet Vesterhavet", Unit.Kind.HOSPITAL),
    (NORTH, "Børnehospitalet Limfjorden", Unit.Kind.HOSPITAL),
)
GROUPS = {
    "review-manager": ("digital_review.review_manager", CENTRE),
    "review-bureau": ("digital_review.trial_bureau", REVIEW),
    "review-pathologist": ("digital_review.review_pathologist", REVIEW),
    "review-chairman": ("digital_review.chairman", REVIEW),
    "review-secretary": ("digital_review.secretary", REVIEW),
    "review-specialist": ("digital_review.specialist", REVIEW),
    "review-clinician": ("digital_review.clinician", REVIEW),
    "review-data-vesterhav": ("digital_review.datamanager", WEST),
    "review-data-limfjord": ("digital_review.datamanager", NORTH),
    "review-data-nordhavn": ("digital_review.datamanager", "hosp-north"),
    "review-data-koege": ("digital_review.datamanager", "hosp-south"),
    "review-doctor-vesterhav": ("digital_review.treating_doctor", WEST),
    "review-doctor-nordhavn": ("digital_review.treating_doctor", "hosp-north"),
}
"""Directory group → role, and the unit at which (and below which) it is held."""

DATA_MANAGER = {
    WEST: "demo-review-data-west",
    NORTH: "demo-review-data-north",
    "hosp-north": "demo-review-data-nordhavn",
    "hosp-south": "demo-review-data-koege",
}
DOCTOR = {WEST: "demo-review-doctor-west", "hosp-north": "demo-review-doctor-nordhavn"}


def people() -> list[DemoPerson]:
    """The people of the MDS-BMF review and of the hospitals; who signs has a signing PIN."""
    return [
        _staff("manager", 1, "Inger Holmgaard", "manager", "Review manager"),
        _staff("bureau", 2, "Pia Nørskov", "bureau", "Trial bureau"),
        _staff("pathologist", 3, "Palle Winkel", "pathologist", "Review pathologist", "60418275"),
        _staff("chairman", 4, "Mogens Astrup", "chairman", "Chairman of the meeting"),
        _staff("secretary", 5, "Dorte Lund", "secretary", "Minutes secretary"),
        _staff("mds", 6, "Hanne Falk", "specialist", "Specialist for EWOG-MDS", "27905183"),
        _staff("bmf", 7, "Klaus Bøgh", "specialist", "Specialist for marrow failure", "84130692"),
        _staff("clinician", 8, "Maja Brink", "clinician", "Clinician"),
        _staff("data-west", 9, "Trine Skov", "data-vesterhav", "Data manager, Vesterhavet"),
        _staff("data-north", 10, "Lars Kvist", "data-limfjord", "Data manager, Limfjorden"),
        _staff("data-nordhavn", 11, "Ellen Friis", "data-nordhavn", "Data manager, Nordhavn"),
        _staff("data-koege", 12, "Bo Munk", "data-koege", "Data manager, Køge Bugt"),
        _staff(
            "doctor-west", 13, "Eva Storm", "doctor-vesterhav", "Treating doctor, Vesterhavet",
            "39571840",
        ),
        _staff(
            "doctor-nordhavn", 14, "Jonas Lykke", "doctor-nordhavn", "Treating doctor, Nordhavn",
            "71620934",
        ),
    ]  # fmt: skip


def _staff(
    sub: str, number: int, name: str, group: str, role: str, pin: str | None = None
) -> DemoPerson:
    return DemoPerson(
        sub=f"demo-review-{sub}",
        regional_id=f"DR{1000 + number}",
        name=name,
        email=f"{name.lower().replace(' ', '.').replace('ø', 'oe')}@demo.invalid",
        groups=(f"review-{group}",),
        role=f"Digital Review: {role}",
        pin=pin,
    )


def pins() -> dict[str, str]:
    """The signing PIN of each who has one, by what names them in the demo."""
    return {person.sub: person.pin for person in people() if person.pin}


def make_units() -> dict[str, Unit]:
    """The national centre with its review and its hospitals, made where they are missing."""
    centre = Unit.objects.filter(code=CENTRE).first()
    if centre is None:
        name = "Landscenter for Børneonkologi"
        root = Unit(code=CENTRE, name=name, kind=Unit.Kind.INSTITUTION)
        centre = Unit.add_root(instance=root)
    for code, name, kind in _UNITS:
        if not Unit.objects.filter(code=code).exists():
            # treebeard counts children on the object at hand
            fresh = Unit.objects.get(pk=centre.pk)
            fresh.add_child(instance=Unit(code=code, name=name, kind=kind))
    return {unit.code: unit for unit in Unit.objects.filter(code__in=[REVIEW, *HOSPITALS])}
