"""People's signing keys for those who may revoke them; the verifications for auditors."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_safe

from portal.access.acts import ask
from portal.access.decision import require
from portal.signing import services
from portal.signing.forms import RevokePasskeyForm
from portal.signing.models import SignatureVerification
from portal.signing.reach import REVOKE
from portal.signing.selectors import keys_in_reach

_ROWS = 50


@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    """Find a person's keys."""
    require(request.user, REVOKE)
    search, state = request.GET.get("search", "").strip(), request.GET.get("state", "")
    found = keys_in_reach(request.user, search=search, state=state)
    context = {
        "page": Paginator(found, _ROWS).get_page(request.GET.get("page")),
        "search": search,
        "state": state,
    }
    return render(request, "signing/keys.html", context)


def revoke(request: HttpRequest, key_id: str) -> HttpResponse:
    """Take another person's key out of use: it was lost, or they have left."""
    require(request.user, REVOKE)
    key = get_object_or_404(keys_in_reach(request.user).in_use(), key_id=key_id)
    return ask(
        request,
        RevokePasskeyForm(request.POST or None),
        lambda **said: services.revoke_key(actor=request.user, key_id=key.key_id, **said),
        title=_("Revoke the %(method)s of %(name)s")
        % {"method": key.get_method_display(), "name": key.user},
        words=_(
            "The key %(key)s can never be used again, and they are told so. What they signed with"
            " it stays valid, except from the time that you give below."
        )
        % {"key": key.name or key.key_id},
        back=reverse("signing:keys"),
        danger=True,
    )


@require_GET
def verification(request: HttpRequest) -> HttpResponse:
    """What the nightly verifications found, for those who may read the audit trail."""
    require(request.user, services.AUDITOR)
    runs = list(SignatureVerification.objects.all()[:30])
    return render(request, "signing/verification.html", {"runs": runs})
