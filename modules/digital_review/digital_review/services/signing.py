"""Signing the forms of a case (DR-110 to DR-118, DR-120), attesting paper, withdrawing."""

from __future__ import annotations

import hashlib
from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext_lazy as _

from digital_review.models import CaseForm, FormSlot, Participant
from digital_review.models.reach import BUREAU, FILL, MANAGE, PATHOLOGY, SIGN_FORM, SIGN_REVIEW
from digital_review.selectors.topics import announce_form
from digital_review.services.case_forms import RULES, after_reopening, case_of
from digital_review.services.conduct import refresh
from digital_review.services.letters import withdraw_letters
from digital_review.services.registry import write_form
from digital_review.services.telling import responsible_for
from portal.access.decision import can, visible
from portal.audit.services import record
from portal.forms.models import AnswerFile
from portal.forms.rules.definition import Kind
from portal.forms.selectors import usable
from portal.forms.services.sheets import lock_sheet, signed_facts, unlock_sheet
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.records.personal import unmasked
from portal.records.services import locked, writes
from portal.signing.services import Signer, reads, sign, supersede

FORM = "digital_review.form"
MEANING = "Reviewed and signed as true and complete"
"""The meaning of a form's signature, as it is signed (in English, whatever the screen's)."""
TRANSCRIBED = "Transcribed from the signed paper original"
"""Likewise, where the doctor has no account and the paper is attached (section 13 no. 2)."""
SCAN = "paper_original"
"""What the scan is filed under; no item of a form: those are asked for."""
LARGEST_SCAN = 20 * 1024 * 1024
_KINDS = {b"%PDF-": "application/pdf", b"\x89PNG\r\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


# --- what is signed -----------------------------------------------------------------------------


@reads("form_version", "slot", "case__patient__hospital", "case__review_type")
def form_facts(form: CaseForm) -> dict[str, Any]:
    """Whose form it is, every answer, everything computed, and every file by its digest (DR-113).

    Computed values follow from the form alone: what other forms say may change, and is signed with
    them.
    """
    with unmasked():
        patient = form.case.patient
        return {
            "patient": {
                "number": patient.number,
                "initials": patient.initials,
                "born_on": patient.born_on,
                "hospital": patient.hospital.code,
            },
            "review": form.case.review_type.code,
            "slot": form.slot.code,
            "number": form.number,
            "completed_at": form.completed_at,
            "transcribed": form.transcribed,
            "files": _digests(form),
            **signed_facts(form),
        }


def _digests(form: CaseForm) -> dict[str, str]:
    """Of the files that the form has; one that asks for none costs no query."""
    items = usable(form.form_version).form.spots.values()
    if not form.transcribed and not any(spot.item.kind is Kind.FILE for spot in items):
        return {}
    files = AnswerFile.objects.filter(sheet_type=RULES.name, sheet_id=form.pk).order_by("pk")
    return {str(each.pk): each.sha256 for each in files}


# --- who signs ----------------------------------------------------------------------------------


def why_not_sign(actor: Any, form: CaseForm) -> Any:
    """Why this person does not sign the form, in words; '' where they do.

    Only of who signs: whether the form is complete is another question.
    """
    by = form.slot.signed_by
    if not by:
        return _("This form is not signed.")
    if by == FormSlot.SignedBy.DOCTOR:
        return "" if can(actor, SIGN_FORM, form) else _("The treating doctor signs this form.")
    if by == FormSlot.SignedBy.PATHOLOGIST:
        return "" if can(actor, PATHOLOGY, form) else _("The review pathologist signs this form.")
    return _why_not_specialist(actor, form)


def _why_not_specialist(actor: Any, form: CaseForm) -> Any:
    """Who is responsible for the outcome, or stands in for them at the meeting (DR-011, DR-120);
    where nobody is named, whoever signs reviews."""
    if not can(actor, SIGN_REVIEW, form):
        return _("The specialist responsible for the outcome signs this form.")
    named = responsible_for(form.case)
    if not named or actor in named or _stands_in(actor, form, named):
        return ""
    return _("Of this outcome, %(people)s signs.") % {"people": ", ".join(map(str, named))}


def _stands_in(actor: Any, form: CaseForm, named: list[Any]) -> bool:
    return Participant.objects.filter(
        meeting__items__form=form,
        meeting__items__deleted_at__isnull=True,
        person=actor,
        part=Participant.Part.SPECIALIST,
        deputises_for__in=named,
    ).exists()


def may_sign(actor: Any, form: CaseForm) -> bool:
    """Whether the complete form waits for this person's signature."""
    return form.status == CaseForm.Status.COMPLETE and not why_not_sign(actor, form)


def may_attest(actor: Any, form: CaseForm) -> bool:
    """Whether this person may attest that the form was transcribed from its signed original."""
    return (
        form.status == CaseForm.Status.COMPLETE
        and form.slot.signed_by == FormSlot.SignedBy.DOCTOR
        and (can(actor, FILL, form) or can(actor, BUREAU, form))
    )


# --- signing ------------------------------------------------------------------------------------


@writes
def sign_form(*, actor: Any, form_id: int, version: int, signer: Signer) -> CaseForm:
    """Sign a complete form; from then on nothing is changed in it (DR-114).

    PermissionDenied for who does not sign it. Refused (``stale``, ``not_complete``, and those of
    `portal.signing.services.sign`): then it stays unsigned (DR-116).
    """
    form = _to_sign(actor, form_id, version)
    if why := why_not_sign(actor, form):
        raise PermissionDenied(str(why))
    return _signed(actor, form, MEANING, signer)


@writes
def attest_transcription(
    *, actor: Any, form_id: int, version: int, name: str, content: bytes, signer: Signer
) -> CaseForm:
    """Attest that the form says what its signed paper original says, with the scan of that.

    Refused: those of `sign_form`, ``scan`` for what is no PDF, PNG or JPEG or is too large.
    """
    form = _to_sign(actor, form_id, version)
    if not may_attest(actor, form):
        raise PermissionDenied(FILL)
    _keep_scan(actor, form, name, content)
    form.transcribed = True
    form.save()
    return _signed(actor, form, TRANSCRIBED, signer)


def _to_sign(actor: Any, form_id: int, version: int) -> CaseForm:
    seen = visible(actor, CaseForm.objects.select_related("slot", "form_version"))
    form = locked(seen, form_id)
    if form.version != version:
        raise Refused(_("The form was changed since you opened it: look again."), code="stale")
    if form.status != CaseForm.Status.COMPLETE:
        raise Refused(_("Only a complete form is signed, and once."), code="not_complete")
    case_of(form)
    return form


def _signed(actor: Any, form: CaseForm, meaning: str, signer: Signer) -> CaseForm:
    form.signature = sign(actor=actor, signable=FORM, obj=form, meaning=meaning, key=signer)
    lock_sheet(RULES, form)
    record(
        "digital_review.form_signed",
        form,
        data={"slot": form.slot.code, "signature": form.signature.pk, "meaning": meaning},
    )
    refresh(actor, form.case)
    write_form(form)
    announce_form(form, "signed")
    return form


def _keep_scan(actor: Any, form: CaseForm, name: str, content: bytes) -> None:
    kind = next((kind for start, kind in _KINDS.items() if content.startswith(start)), "")
    if not kind or len(content) > LARGEST_SCAN:
        raise Refused(
            _("Attach the scan of the signed paper as PDF, PNG or JPEG of at most 20 MB."),
            code="scan",
        )
    AnswerFile.objects.create(
        sheet_type=RULES.name,
        sheet_id=form.pk,
        item=SCAN,
        name=name[:200],
        media_type=kind,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        uploaded_by=actor,
    )


# --- withdrawing --------------------------------------------------------------------------------


def may_withdraw(actor: Any, form: CaseForm) -> bool:
    """Who signed it, and the review manager."""
    if form.signature is None:
        return False
    return form.signature.signer_id == actor.pk or can(actor, MANAGE, form)


@writes
def withdraw_signature(*, actor: Any, form_id: int, reason: str) -> CaseForm:
    """The signature no longer stands, and the form is a draft again; both stay to be read.

    Refused: ``reason_needed``, ``not_signed``.
    """
    seen = visible(actor, CaseForm.objects.select_related("slot", "form_version", "signature"))
    form = locked(seen, form_id)
    if form.signature is None:
        raise Refused(_("This form is not signed."), code="not_signed")
    if isinstance(actor, ServiceActor) or not may_withdraw(actor, form):
        raise PermissionDenied(MANAGE)
    signature = form.signature
    supersede(signature, reason)
    form.signature, form.transcribed = None, False
    unlock_sheet(RULES, form)
    data = {"slot": form.slot.code, "signature": signature.pk}
    record("digital_review.signature_withdrawn", form, data=data)
    after_reopening(actor, form)
    withdraw_letters(form=form, reason=reason, actor=actor)
    return form
