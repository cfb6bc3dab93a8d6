"""Signing a form of a case, attesting its paper original, withdrawing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from digital_review.forms.cases import ScanForm
from digital_review.models import CaseForm, FormSlot
from digital_review.services import signing
from digital_review.services.case_forms import RULES
from portal.access.acts import ask
from portal.access.decision import visible
from portal.access.forms import ReasonForm
from portal.audit.services import Access, log_access
from portal.forms.models import AnswerFile
from portal.forms.selectors import usable
from portal.records.errors import Refused
from portal.signing.services import Signer
from portal.signing.web import asks_for_passkey, passkey_options, signer_of, ways_to_sign


def form_for(user: Any, pk: int) -> CaseForm:
    """The form, where the person may see it; else there is none (404)."""
    forms = CaseForm.objects.select_related(
        "slot", "form_version", "case__patient__hospital", "case__review_type", "case__outcome",
        "signature", "completed_by",
    )  # fmt: skip
    return get_object_or_404(visible(user, forms), pk=pk)


@require_http_methods(["GET", "POST"])
def sign(request: HttpRequest, pk: int) -> HttpResponse:
    """What is signed, in words, then the signature."""
    form = form_for(request.user, pk)
    if why := signing.why_not_sign(request.user, form):
        raise PermissionDenied(str(why))

    def act(signer: Signer) -> CaseForm:
        return signing.sign_form(
            actor=request.user, form_id=pk, version=_version(request), signer=signer
        )

    return _signed(request, form, act, meaning=signing.MEANING)


@require_http_methods(["GET", "POST"])
def attest(request: HttpRequest, pk: int) -> HttpResponse:
    """Where the doctor has no account: the paper was signed, and is attached."""
    form = form_for(request.user, pk)
    if not signing.may_attest(request.user, form):
        raise PermissionDenied
    scan = ScanForm(request.POST or None, request.FILES or None)

    def act(signer: Signer) -> CaseForm:
        if not scan.is_valid():
            raise Refused(
                _("Attach the scan of the signed paper as PDF, PNG or JPEG of at most 20 MB."),
                code="scan",
            )
        sent = scan.cleaned_data["scan"]
        return signing.attest_transcription(
            actor=request.user,
            form_id=pk,
            version=_version(request),
            name=sent.name,
            content=_content(sent),
            signer=signer,
        )

    return _signed(request, form, act, meaning=signing.TRANSCRIBED, scan=scan)


def _content(sent: Any) -> bytes:
    """The file, or as much of it as is enough to refuse it."""
    sent.seek(0)  # what asks the passkey acts once, to rehearse
    return bytes(sent.read(signing.LARGEST_SCAN + 1))


def _version(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _signed(
    request: HttpRequest,
    form: CaseForm,
    act: Callable[[Signer], CaseForm],
    *,
    meaning: str,
    scan: ScanForm | None = None,
) -> HttpResponse:
    refusal: Refused | None = None
    if asks_for_passkey(request):
        return passkey_options(request, act)
    if request.method == "POST":
        try:
            act(signer_of(request))
        except Refused as error:
            refusal = error
        else:
            messages.success(request, _("%(form)s is signed.") % {"form": form.slot.title})
            return redirect("digital_review:form", form.pk)
    elif form.status != CaseForm.Status.COMPLETE:
        messages.info(request, _("Only a complete form is signed, and once."))
        return redirect("digital_review:form", form.pk)
    else:
        log_access(Access.OPEN, form)
    context = {
        "form": form,
        "lines": _lines(form),
        "meaning": meaning,
        "scan": scan,
        "refusal": refusal,
        "ways_to_sign": ways_to_sign(request),
    }
    status = 422 if refusal else 200
    return render(request, "digital_review/forms/sign.html", context, status=status)


def _lines(form: CaseForm) -> list[tuple[str, Any]]:
    """What is signed, in words."""
    design = usable(form.form_version).form
    patient = form.case.patient
    lines: list[tuple[str, Any]] = [
        (_("Form"), f"{form.slot.title}, {design.code} {form.form_version.number}"),
        (_("Patient"), patient.number),
        (_("Initials"), patient.initials),
        (_("Hospital"), patient.hospital.name),
        (_("Completed by"), form.completed_by),
    ]
    if form.slot.signed_by == FormSlot.SignedBy.SPECIALIST and form.case.outcome is not None:
        lines.append((_("Outcome"), form.case.outcome.name))
    return lines


@require_http_methods(["GET", "POST"])
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask why; then the signature no longer stands, and the form is a draft again."""
    form = form_for(request.user, pk)
    if not signing.may_withdraw(request.user, form):
        raise PermissionDenied
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda **given: signing.withdraw_signature(actor=request.user, form_id=pk, **given),
        title=_("Withdraw the signature of %(form)s") % {"form": form.slot.title},
        words=_(
            "The form is a draft again and can be changed. The signature is kept, and says that it"
            " no longer stands, and why."
        ),
        back=reverse("digital_review:form", args=[form.pk]),
        danger=True,
    )


@require_GET
def scan(request: HttpRequest, pk: int) -> HttpResponse:
    """The scan of the signed paper original."""
    form = form_for(request.user, pk)
    files = AnswerFile.objects.filter(sheet_type=RULES.name, sheet_id=form.pk, item=signing.SCAN)
    found = files.order_by("-pk").first()
    if found is None or not form.transcribed:
        raise Http404
    log_access(Access.OPEN, form, data={"file": found.pk})
    answer = HttpResponse(bytes(found.content), content_type=found.media_type)
    answer["Content-Disposition"] = f'attachment; filename="paper-original-{form.pk}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
