"""*Who saw this file*: searched, listed, printed (PT-024).

A patient's identifier is sent in the body of a POST, so that it stands in no address, history or
server log.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from portal.access.decision import can, require
from portal.audit.services import Access, log_access
from portal.documents.services import response
from portal.operations import who_saw as files
from portal.operations.forms import WhoSawForm
from portal.operations.trail import kind_label, log_page
from portal.records.errors import Refused

BROWSE = "audit.browse_logs"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def who_saw(request: HttpRequest) -> HttpResponse:
    """The form; the list of the file that it names; or, with ``act=print``, the sealed PDF."""
    require(request.user, BROWSE)
    sent = request.POST if request.method == "POST" else _without_patient(request)
    form = WhoSawForm(sent or None)
    wanted = form.cleaned_data if form.is_valid() else {}
    if not files.names_a_file(wanted):
        status = 422 if form.errors else 200
        return render(request, "operations/who_saw.html", {"form": form}, status=status)
    if request.POST.get("act") == "print":
        try:
            document = files.print_who_saw(actor=request.user, wanted=wanted)
        except Refused as error:
            form.add_error(None, str(error))
        else:
            return response(document, user=request.user, patient=wanted["patient"])
    return _listed(request, form, wanted)


def _without_patient(request: HttpRequest) -> dict[str, str]:
    names = ("object_type", "object_id", "since", "until")
    return {name: request.GET[name] for name in names if name in request.GET}


def _listed(request: HttpRequest, form: WhoSawForm, wanted: dict[str, Any]) -> HttpResponse:
    # what this very look adds to the log is not part of the page
    page = log_page(
        files.file_entries(wanted), before=_key(request, "before"), after=_key(request, "after")
    )
    told = {name: str(value) for name, value in wanted.items() if value and name != "patient"}
    log_access(Access.OPEN, "who saw the file", patient=wanted["patient"], data=told)
    context = {
        "form": form,
        "wanted": wanted,
        "kind": kind_label(wanted["object_type"]) if wanted["object_type"] else "",
        "page": page,
        "rows": [
            {"entry": entry, "who": files.who(entry), "act": files.act_word(entry.action)}
            for entry in page.entries
        ],
        "may_print": can(request.user, files.EXPORT),
    }
    status = 422 if form.errors else 200
    return render(request, "operations/who_saw.html", context, status=status)


def _key(request: HttpRequest, name: str) -> int | None:
    text = request.POST.get(name, "") or request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else None
