"""Letters about a review's outcome: to the treating oncologist, and to the local pathologist where
the outcome is another than theirs (DR-076, DR-077). Sealed PDFs; a mail holds a link to one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from digital_review.models import AgendaItem, Case, CaseForm, Letter, Outcome
from digital_review.models.reach import MANAGE, PERSONAL, SIGN_REVIEW
from digital_review.rules.conduct import Role
from digital_review.rules.letters import differs
from digital_review.selectors.facts import standing_of, words_at
from digital_review.selectors.topics import announce_case
from digital_review.services.telling import people_of, tell
from portal.access.decision import can, require, visible
from portal.audit.services import Access, log_access, record
from portal.documents import paper
from portal.documents.rendering import render_png
from portal.documents.services import documents_of, issue, supersede_documents
from portal.forms.rules.definition import Kind
from portal.forms.selectors import true_filling, usable
from portal.forms.words import in_words
from portal.records.errors import Refused
from portal.records.services import locked, writes
from portal.signing.models import Signature
from portal.signing.services import State, printed, verify

TEMPLATE = Path(__file__).parent.parent / "documents" / "letter.typ"
_TITLES = {
    Letter.Kind.ONCOLOGIST: lazy("Outcome of the central review"),
    Letter.Kind.PATHOLOGIST: lazy("Outcome of the central review differs"),
}
_NOT_PRINTED = frozenset({Kind.SIGNATURE, Kind.FILE})


@dataclass(frozen=True)
class Matter:
    """What a letter is about: a signed form of the central review."""

    case: Case
    form: CaseForm
    signature: Signature
    outcome: Outcome
    local: str
    """The local pathologist's diagnosis in words; '' where nobody said."""
    differs: bool | None
    """None where the local diagnosis is not known."""


def may_write_letter(user: Any, case: Case) -> bool:
    """Those who sign reviews and the review manager, where they see whom it is about."""
    return can(user, PERSONAL, case) and (can(user, SIGN_REVIEW, case) or can(user, MANAGE, case))


def matter_of(case: Case) -> Matter:
    """What there is to write of. Refused: ``not_signed``, ``not_authentic``."""
    standing = standing_of(case)
    slot = case.review_type.diagnosis.partition(".")[0]
    form = standing.counting.get(slot)
    if form is None or form.signature is None or case.outcome is None:
        raise Refused(_("The central review is not signed yet."), code="not_signed")
    if verify(form.signature).state is not State.VALID:
        raise Refused(
            _("The signature of the central review is not authentic."), code="not_authentic"
        )
    code, local = words_at(standing, case.review_type.local_diagnosis)
    outcome = case.outcome
    found = differs(code, outcome.code, outcome.name)
    return Matter(case, form, form.signature, outcome, local, found)


def letters_to_write(case: Case) -> list[Letter.Kind]:
    """Which letters can be written now; none before the central review is signed."""
    try:
        matter = matter_of(case)
    except Refused:
        return []
    kinds = [Letter.Kind.ONCOLOGIST]
    return [*kinds, Letter.Kind.PATHOLOGIST] if matter.differs else kinds


def preview_letter(*, actor: Any, case_id: int, kind: str) -> list[bytes]:
    """The pages as they would be issued now, as PNG, marked as a preview."""
    case = _case(actor, case_id)
    matter = _writable(actor, case, kind)
    with paper.document_language():
        data = letter_data(matter, kind)
        data["document"] = {"mark": _("PREVIEW – NOT ISSUED")}
        title = str(_TITLES[Letter.Kind(kind)])
        whole = paper.complete(data, title=title, number="–", revision=1, issued_at=timezone.now())
    log_access(Access.OPEN, case, patient=case.patient.number, data={"preview": kind})
    return render_png(TEMPLATE, whole)


@writes
def issue_letter(*, actor: Any, case_id: int, kind: str) -> Letter:
    """Issue the letter, sealed, and tell the hospital's doctors that it is there.

    Issued again without any change it is the one there is. Refused: ``not_signed``,
    ``not_authentic``, ``same`` (the local diagnosis is no other), ``server_key``.
    """
    case = _case(actor, case_id, lock=True)
    matter = _writable(actor, case, kind)
    letter = Letter.objects.filter(case=case, form=matter.form, kind=kind).first()
    if letter is None or letter.outcome_id != case.outcome_id:
        letter = Letter.objects.create(
            case=case,
            form=matter.form,
            kind=kind,
            outcome=case.outcome,
            written_by=actor,
            written_at=timezone.now(),
        )
    before = documents_of(letter).filter(supersession__isnull=True).first()
    with paper.document_language():
        document = issue(
            kind=f"digital_review.letter_{kind}",
            obj=letter,
            title=_TITLES[Letter.Kind(kind)],
            number=f"DR-{case.patient.number}-{letter.pk}",
            data=letter_data(matter, kind),
            template=TEMPLATE,
            issued_by=actor,
        )
    if document == before:
        return letter
    told = {"letter": letter.pk, "kind": kind, "number": document.number}
    record("digital_review.letter_issued", case, data=told)
    _tell(letter, lazy("There is a letter about patient %(patient)s."), actor)
    announce_case(case, "letter")
    return letter


def withdraw_letters(*, form: CaseForm, reason: str, actor: Any) -> int:
    """The letters that rest on a finding are out of force: it was withdrawn. How many were.

    Within the transaction of withdrawing; the doctors who were told of them are told of this.
    """
    withdrawn = 0
    for letter in Letter.objects.filter(form=form).select_related("case__patient"):
        if not supersede_documents(letter, reason):
            continue
        withdrawn += 1
        record("digital_review.letter_withdrawn", letter.case, data={"letter": letter.pk})
        _tell(letter, lazy("The letter about patient %(patient)s is withdrawn."), actor)
    if withdrawn:
        announce_case(form.case, "letter")
    return withdrawn


def _tell(letter: Letter, text: Any, actor: Any) -> None:
    tell(
        people_of(Role.DOCTOR, letter.case),
        text,
        {"patient": letter.case.patient.number},
        path=reverse("digital_review:letter", args=[letter.pk]),
        subject=lazy("Digital Review: a letter"),
        but=actor,
    )


def _writable(actor: Any, case: Case, kind: str) -> Matter:
    if not may_write_letter(actor, case):
        raise PermissionDenied(SIGN_REVIEW)
    require(actor, PERSONAL, case)
    matter = matter_of(case)
    if kind == Letter.Kind.PATHOLOGIST and not matter.differs:
        raise Refused(_("The outcome does not differ from the local pathologist's."), code="same")
    return matter


def _case(actor: Any, case_id: int, *, lock: bool = False) -> Case:
    cases = visible(actor, Case.objects.all()).select_related(
        "patient__hospital", "review_type__unit", "outcome"
    )
    if lock:
        return locked(cases, case_id)
    case = cases.filter(pk=case_id).first()
    if case is None:
        raise Refused(_("This record does not exist (any more)."), code="gone")
    return case


# --- what it says ---------------------------------------------------------------------------------


def letter_data(matter: Matter, kind: str) -> dict[str, Any]:
    """What the template is given, in the words and formats of the active language."""
    case, patient = matter.case, matter.case.patient
    outcome = matter.outcome
    return {
        "kind": str(kind),
        "patient": {
            "number": patient.number,
            "initials": str(patient.initials),
            "born_on": _day(patient.born_on),
            "hospital": patient.hospital.name,
        },
        "review": {
            "type": case.review_type.name,
            "held_on": _day(_held_on(matter)),
            "diagnosis": outcome.name,
            "met": outcome.met,
            "local": matter.local,
        },
        "advice": outcome.advice,
        "findings": _findings(matter.form),
        "signature": printed(matter.signature),
        "labels": _labels(),
    }


def _held_on(matter: Matter) -> Any:
    item = AgendaItem.objects.filter(form=matter.form).select_related("meeting").first()
    if item is not None:
        return timezone.localdate(item.meeting.starts_at)
    return matter.case.classified_on


def _findings(form: CaseForm) -> list[dict[str, str]]:
    """The answers of the signed form, question by question, less personal data and signatures."""
    design, language = usable(form.form_version).form, _language(form)
    found = []
    for at, value in true_filling(form).values.items():
        item = design.spots[at.item].item
        if not item.personal and item.kind not in _NOT_PRINTED:
            label = item.label.text(language, design.languages)
            found.append({"label": label, "value": in_words(design, item, value, language)})
    return found


def _language(form: CaseForm) -> str:
    """The language of the paper where the form has it, else the form's first."""
    languages = usable(form.form_version).form.languages
    wanted = (get_language() or "en").split("-")[0]
    return wanted if wanted in languages else languages[0]


def _day(value: Any) -> str:
    return date_format(value, "SHORT_DATE_FORMAT") if hasattr(value, "year") else str(value or "")


def _labels() -> dict[str, str]:
    return {
        "to_oncologist": _("To the treating paediatric oncologist"),
        "to_pathologist": _("To the local pathologist"),
        "patient": _("Patient"),
        "number": _("Patient number"),
        "initials": _("Initials"),
        "born_on": _("Date of birth"),
        "hospital": _("Hospital"),
        "review": _("Central review"),
        "review_type": _("Review type"),
        "held_on": _("Reviewed"),
        "classifying": _("Classifying diagnosis"),
        "no_diagnosis": _("No classifying diagnosis could be made"),
        "local": _("Diagnosis of the local pathologist"),
        "differs": _("The outcome of the central review differs from the local diagnosis."),
        "advice": _("Advice"),
        "findings": _("Findings"),
        "signed": _("Signed by"),
    }
