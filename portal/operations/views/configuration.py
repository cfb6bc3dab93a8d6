"""What of each module's configuration is signed, and signing it (OP-005)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from portal.access.decision import can, require
from portal.operations import configuration
from portal.operations.forms import SignConfigurationForm
from portal.operations.models import (
    SIGN_CONFIGURATION,
    ConfigurationFinding,
    SignedConfiguration,
)
from portal.records.errors import Refused
from portal.registry import PortalModule
from portal.signing.services import Signer, WrongPin, signatures_of, verify_many
from portal.signing.web import asks_for_passkey, passkey_options, refused, signer_of

_SHOWN_FORMER = 20


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Every module with clinical settings, and whether it may be relied on."""
    _may_look(request)
    now = timezone.now()
    rows = [
        {
            "module": module,
            "look": configuration.look_at(module),
            "reason": configuration.non_clinical_reason(module.label, now),
        }
        for module in configuration.modules_with_clinical_settings()
    ]
    return render(request, "operations/configuration.html", {"rows": rows})


@sensitive_post_parameters("pin")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def of_module(request: HttpRequest, label: str) -> HttpResponse:
    """What differs from what was signed, everything there is, and signing it."""
    _may_look(request)
    module = next(
        (m for m in configuration.modules_with_clinical_settings() if m.label == label), None
    )
    if module is None:
        raise Http404
    if request.method != "POST":
        return _page(request, module, SignConfigurationForm())
    require(request.user, SIGN_CONFIGURATION)
    form = SignConfigurationForm(request.POST)
    if not form.is_valid():
        if asks_for_passkey(request):
            return refused(Refused(_("Say why this configuration is right."), code="reason_needed"))
        return _page(request, module, form)

    def act(signer: Signer) -> SignedConfiguration:
        return configuration.sign_configuration(
            actor=request.user,
            module=label,
            seen_digest=form.cleaned_data["digest"],
            reason=form.cleaned_data["reason"],
            signer=signer,
        )

    if asks_for_passkey(request):
        return passkey_options(request, act)
    try:
        act(signer_of(request))
    except WrongPin as error:
        return _page(request, module, form, pin_error=str(error))
    except Refused as error:
        form.add_error(None, str(error))
        return _page(request, module, form)
    messages.success(request, _("The configuration is signed."))
    return redirect("operations:configuration_of", label)


def _may_look(request: HttpRequest) -> None:
    """Operators see whether it is signed; who signs must see what."""
    if not (can(request.user, "operations.see_status") or can(request.user, SIGN_CONFIGURATION)):
        raise PermissionDenied


def _page(
    request: HttpRequest, module: PortalModule, form: SignConfigurationForm, pin_error: str = ""
) -> HttpResponse:
    look = configuration.look_at(module)
    former = SignedConfiguration.objects.filter(module=module.label).select_related("signed_by")
    context: dict[str, Any] = {
        "module": module,
        "look": look,
        "everything": configuration.in_lines(look.present) if look.present else [],
        "reason": configuration.non_clinical_reason(module.label, timezone.now()),
        "findings": ConfigurationFinding.objects.filter(module=module.label).order_by("place"),
        "former": [_row(signed) for signed in former[:_SHOWN_FORMER]],
        "may_sign": can(request.user, SIGN_CONFIGURATION),
        "to_sign": look.present is not None and look.state != ConfigurationFinding.State.SIGNED,
        "meaning": configuration.meaning(),
        "form": form,
        "pin_error": pin_error,
    }
    status = 422 if form.errors or pin_error else 200
    return render(request, "operations/configuration_of.html", context, status=status)


def _row(signed: SignedConfiguration) -> dict[str, Any]:
    signatures = signatures_of(signed).filter(signable=configuration.SIGNABLE)
    verdicts = verify_many(signatures, {each.pk: signed for each in signatures})
    return {"signed": signed, "verdict": verdicts[0] if verdicts else None}
