"""Why may X see Y? Who may see Y? (PT-016)"""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from portal.access import explanation
from portal.access.authority import ADMINISTER, GRANT
from portal.access.decision import can, held_by, require
from portal.access.forms import ExplainForm
from portal.access.reach import exception_privileges
from portal.access.who_may import who_may
from portal.audit.services import Access, log_access


@require_safe
def explain(request: HttpRequest) -> HttpResponse:
    """Asked by GET: an answer can be linked to. Asking is itself in the access log."""
    require(request.user, explanation.EXPLAIN)
    form = ExplainForm(request.GET or None)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        person, privilege = form.cleaned_data["person"], form.cleaned_data["privilege"]
        label = form.cleaned_data["object"]
        try:
            obj = _object(request.user, label) if label else None
        except ValueError as error:
            form.add_error("object", str(error))
        else:
            context |= {"object": obj, "label": label, "person": person}
            context |= _answer(request.user, person, privilege, obj)
            log_access(Access.OPEN, person or obj, data={"privilege": privilege, "object": label})
    return render(request, "access/explain.html", context, status=422 if form.errors else 200)


def _object(asker: Any, label: str) -> Model:
    """The object; one that is not the asker's to ask about is not there for them."""
    obj = explanation.find_object(label)
    if not explanation.may_ask_about(asker, obj):
        raise ValueError(explanation.no_such_object())
    return obj


def _answer(asker: Any, person: Any, privilege: str, obj: Model | None) -> dict[str, Any]:
    takes_exceptions = obj is not None and bool(exception_privileges(type(obj)))
    gives = can(asker, GRANT) or can(asker, ADMINISTER)
    links: dict[str, Any] = {}
    if takes_exceptions and gives:
        kind = obj._meta.label_lower  # type: ignore[union-attr]  # noqa: SLF001
        links["exceptions_for"] = obj
        links["exceptions_url"] = reverse("access:exceptions_of", args=[kind, obj.pk])  # type: ignore[union-attr]
    if person is None:
        return links | {"who": who_may(privilege, obj) if obj is not None else None}
    answer = explanation.explain(person, privilege, obj)
    if obj is not None:
        return links | {"answer": answer, "elsewhere": 0}
    # without an object, what is held at other units than the asker's is theirs to tell
    mine = held_by(asker).of(explanation.EXPLAIN)
    hidden = 0
    for each in answer.profiles:
        shown = [g for g in each.grounds if any(h.reaches(g.unit_path) for h in mine)]
        hidden += len(each.grounds) - len(shown)
        each.grounds[:] = shown
    return links | {"answer": answer, "elsewhere": hidden}
