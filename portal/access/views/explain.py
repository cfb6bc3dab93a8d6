"""Why may X see Y? (PT-016)"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.access import explanation
from portal.access.decision import require
from portal.access.forms import ExplainForm
from portal.audit.services import Access, log_access


@require_safe
def explain(request: HttpRequest) -> HttpResponse:
    """Asked by GET: an answer can be linked to. Asking is itself in the access log."""
    require(request.user, "access.explain")
    form = ExplainForm(request.GET or None)
    answer = None
    if form.is_valid():
        person, privilege = form.cleaned_data["person"], form.cleaned_data["privilege"]
        label = form.cleaned_data["object"]
        try:
            obj = explanation.find_object(label) if label else None
        except ValueError as error:
            form.add_error("object", str(error))
        else:
            answer = explanation.explain(person, privilege, obj)
            log_access(Access.OPEN, person, data={"privilege": privilege, "object": label})
    context = {"form": form, "answer": answer}
    return render(request, "access/explain.html", context, status=422 if form.errors else 200)
