"""Exceptions: one person may do one thing with one object (PT-014)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.access import selectors, services
from portal.access.acts import ask
from portal.access.authority import check_may_except
from portal.access.decision import can
from portal.access.explanation import find_object
from portal.access.forms import ReasonForm
from portal.access.grant_forms import ExceptionForm
from portal.access.models import ObjectException
from portal.access.reach import exception_privileges, unit_of
from portal.access.review_lines import privilege_label
from portal.access.services.exceptions import registered
from portal.access.views.grants import require_some_say
from portal.records.errors import Refused

_FIELD_OF = {"self_grant": "user", "already_held": "privilege", "above_own": "privilege"}


@require_safe
def exceptions(request: HttpRequest) -> HttpResponse:
    require_some_say(request)
    text = request.GET.get("text", "").strip()
    found = selectors.exceptions(request.user, text=text)
    page = Paginator(found, 50).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [(each, privilege_label(each.privilege)) for each in page],
        "text": text,
        "administers": can(request.user, selectors.ADMINISTER),
    }
    return render(request, "access/exceptions.html", context)


def of_object(request: HttpRequest, kind: str, key: str) -> HttpResponse:
    """Who has an exception for this object; and a form to give one to somebody else."""
    require_some_say(request)
    obj = _find(kind, key)
    mine = _may_give(request.user, obj)
    if not mine:
        raise Http404  # who may not give any does not learn that it exists
    form = ExceptionForm(
        request.POST or None, privileges=[(code, privilege_label(code)) for code in mine]
    )
    if request.method == "POST" and form.is_valid():
        try:
            services.grant_exception(actor=request.user, obj=obj, **form.cleaned_data)
        except Refused as error:
            form.add_error(_FIELD_OF.get(error.code), str(error))
        else:
            messages.success(request, _("The exception holds from now on."))
            return redirect("access:exceptions_of", kind, key)
    found = registered(obj).select_related("user", "granted_by").order_by("user__name", "pk")
    context = {
        "object": obj,
        "kind": obj._meta.verbose_name,  # noqa: SLF001
        "unit": unit_of(obj),
        "rows": [(each, privilege_label(each.privilege), each.privilege in mine) for each in found],
        "form": form,
    }
    return render(request, "access/exceptions_of.html", context, status=422 if form.errors else 200)


def end(request: HttpRequest, pk: int) -> HttpResponse:
    require_some_say(request)
    found = get_object_or_404(selectors.exceptions(request.user), pk=pk)
    obj = _find(found.object_type, found.object_id)
    if found.privilege not in _may_give(request.user, obj):
        raise Http404

    def act(**values: Any) -> None:
        services.end_exception(
            actor=request.user, user=found.user, privilege=found.privilege, obj=obj, **values
        )

    return ask(
        request,
        ReasonForm(request.POST or None),
        act,
        title=_("End the exception: %(who)s – %(what)s")
        % {"who": found.user, "what": found.object_repr},
        words=_("The person may no longer: %(privilege)s.")
        % {"privilege": privilege_label(found.privilege)},
        back=_back(found),
        danger=True,
    )


def _back(found: ObjectException) -> str:
    return reverse("access:exceptions_of", args=[found.object_type, found.object_id])


def _find(kind: str, key: str) -> Model:
    """The object; 404 for what does not exist and for what takes no exceptions."""
    try:
        obj = find_object(f"{kind}:{key}")
    except ValueError:
        raise Http404 from None
    if not exception_privileges(type(obj)):
        raise Http404
    return obj


def _may_give(actor: Any, obj: Model) -> list[str]:
    """Privileges on the object that the actor may give to others."""
    mine = []
    for code in exception_privileges(type(obj)):
        try:
            check_may_except(actor, code, obj)
        except Refused:
            continue
        mine.append(code)
    return mine
