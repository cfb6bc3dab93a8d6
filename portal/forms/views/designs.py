"""Pages about the forms that there are: the list, a form with its versions, acts on both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from portal.access.acts import ask
from portal.access.decision import can, visible
from portal.access.forms import ReasonForm
from portal.audit.services import Access, log_access
from portal.forms import selectors_designs as selectors
from portal.forms.design_forms import CopyForm, ImportForm, NewForm, PublishForm
from portal.forms.kinds import FORMS
from portal.forms.models import FormDesign, FormVersion
from portal.forms.services import designs as services
from portal.records.errors import Refused

State = FormVersion.State


def require_designer(request: HttpRequest) -> None:
    if not can(request.user, FORMS.may_design):
        raise PermissionDenied


def design_of(request: HttpRequest, pk: int) -> FormDesign:
    found: FormDesign = get_object_or_404(
        visible(request.user, FormDesign.objects.select_related("unit")), pk=pk
    )
    return found


def version_of(request: HttpRequest, pk: int) -> FormVersion:
    found: FormVersion = get_object_or_404(
        visible(request.user, FormVersion.objects.select_related("design__unit")), pk=pk
    )
    return found


def draft_of(request: HttpRequest, pk: int) -> FormVersion:
    version = version_of(request, pk)
    if version.state != State.DRAFT:
        raise Http404
    return version


@require_safe
def designs(request: HttpRequest) -> HttpResponse:
    require_designer(request)
    text, area = request.GET.get("q", "").strip(), request.GET.get("area", "")
    found = selectors.designs(FORMS, request.user, text=text, area=area)
    page, areas = Paginator(found, 50).get_page(request.GET.get("page")), selectors.area_labels()
    for each in page:
        each.area_label = areas.get(each.area, each.area)
    context = {"page": page, "q": text, "area": area, "areas": areas}
    return render(request, "forms/design_list.html", context)


def _made(
    request: HttpRequest, form: Any, act: Callable[..., FormVersion], title: str
) -> HttpResponse:
    """A form for a new design; made, its editor opens. What is refused stands on the form."""
    if request.method == "POST" and form.is_valid():
        try:
            draft = act(**form.cleaned_data)
        except Refused as error:
            field = {"code_taken": "code", "code": "code", "area": "area"}.get(error.code)
            field = field or ("file" if "file" in form.fields else None)
            form.add_error(
                field if field in form.fields else None,
                [str(error), *map(str, error.details[:50])],
            )
        else:
            return redirect("forms:editor", draft.pk)
    context = {"form": form, "title": title, "multipart": form.is_multipart()}
    return render(request, "forms/design_new.html", context, status=422 if form.errors else 200)


def new(request: HttpRequest) -> HttpResponse:
    require_designer(request)
    units = selectors.units_to_design_at(FORMS, request.user)
    form = NewForm(request.POST or None, units=units)

    def make(languages: list[str], **fields: Any) -> Any:
        return services.create_design(
            FORMS, actor=request.user, languages=tuple(languages), **fields
        )

    return _made(request, form, make, _("New form"))


def import_file(request: HttpRequest) -> HttpResponse:
    require_designer(request)
    units = selectors.units_to_design_at(FORMS, request.user)
    form = ImportForm(request.POST or None, request.FILES or None, units=units)

    def make(file: Any, **fields: Any) -> Any:
        return services.import_design(FORMS, actor=request.user, data=file.read(), **fields)

    return _made(request, form, make, _("Form from a file"))


def copy(request: HttpRequest, pk: int) -> HttpResponse:
    found = design_of(request, pk)
    units = selectors.units_to_design_at(FORMS, request.user)
    proposed = {"unit": found.unit_id, "title": found.title}
    form = CopyForm(request.POST or None, units=units, initial=proposed)

    def make(**fields: Any) -> Any:
        return services.copy_design(FORMS, actor=request.user, design_id=found.pk, **fields)

    return _made(request, form, make, _("Copy of %(form)s") % {"form": found})


@require_safe
def design(request: HttpRequest, pk: int) -> HttpResponse:
    found = design_of(request, pk)
    versions = selectors.versions_of(FORMS, found)
    context = {
        "design": found,
        "versions": versions,
        "newest": versions[0] if versions else None,
        "draft": next((each for each in versions if each.state == State.DRAFT), None),
        "published": next((each for each in versions if each.state == State.PUBLISHED), None),
        "area": selectors.area_labels().get(found.area, found.area),
        "may_publish": can(request.user, FORMS.may_publish, found),
    }
    return render(request, "forms/design.html", context)


@require_POST
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """The form's draft; begun where there is none."""
    design_of(request, pk)
    draft = services.begin_draft(FORMS, actor=request.user, design_id=pk)
    return redirect("forms:editor", draft.pk)


@require_safe
def difference(request: HttpRequest, pk: int) -> HttpResponse:
    found = design_of(request, pk)
    versions = {
        each.number: each for each in FormVersion.objects.filter(design=found).order_by("-number")
    }
    numbers = list(versions)
    new = _chosen(request.GET.get("new"), numbers, 0)
    old = _chosen(request.GET.get("old"), numbers, min(numbers.index(new) + 1, len(numbers) - 1))
    compared = selectors.difference_between(
        FORMS.read(versions[old].content), FORMS.read(versions[new].content)
    )
    context = {
        "design": found,
        "numbers": numbers,
        "old": versions[old],
        "new": versions[new],
        "difference": compared,
    }
    return render(request, "forms/design_difference.html", context)


def _chosen(text: str | None, numbers: list[int], otherwise: int) -> int:
    if not numbers:
        raise Http404
    number = int(text) if text and text.isdecimal() and len(text) < 6 else None
    return number if number in numbers else numbers[otherwise]


@require_safe
def export(request: HttpRequest, pk: int) -> HttpResponse:
    version = version_of(request, pk)
    log_access(Access.EXPORT, version)
    answer = HttpResponse(services.export_design(version), content_type="application/json")
    name = f"{version.design.code}-{version.number}.json"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def publish(request: HttpRequest, pk: int) -> HttpResponse:
    draft = draft_of(request, pk)
    if not can(request.user, FORMS.may_publish, draft):
        raise PermissionDenied
    faults = FORMS.faults(draft.design, FORMS.read(draft.content))
    if faults:
        return _to_the_faults(request, draft, len(faults))
    former = (
        FormVersion.objects.filter(design=draft.design, state=State.PUBLISHED)
        .order_by("-number")
        .first()
    )
    lines = _what_changes(former, draft)

    def act(reason: str, version: int | None) -> None:
        services.publish_version(
            FORMS,
            actor=request.user,
            version_id=draft.pk,
            opened_version=version or 0,
            reason=reason,
        )

    return ask(
        request,
        PublishForm(request.POST or None, initial={"version": draft.version}),
        act,
        title=_("Publish version %(number)s") % {"number": draft.number},
        words=_("New answers to “%(form)s” are given on this version. It never changes again.")
        % {"form": draft.design},
        lines=lines,
        back=reverse("forms:design", args=[draft.design_id]),
    )


def _to_the_faults(request: HttpRequest, draft: FormVersion, count: int) -> HttpResponse:
    """What keeps it from being published is listed in the editor, each with the way to it."""
    messages.error(
        request,
        ngettext(
            "This version cannot be published yet: %(count)s fault is left.",
            "This version cannot be published yet: %(count)s faults are left.",
            count,
        )
        % {"count": count},
    )
    address = f"{reverse('forms:editor', args=[draft.pk])}?tab=faults"
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(address)
    return redirect(address)


def _what_changes(former: FormVersion | None, draft: FormVersion) -> list[str]:
    """What the new version is to the one before it, in a few lines."""
    content = FORMS.read(draft.content)
    if former is None:
        return []
    compared = selectors.difference_between(FORMS.read(former.content), content)
    lines = [
        _("Version %(number)s is retired; answers given on it stay on it.")
        % {"number": former.number},
        ngettext("%(count)s change.", "%(count)s changes.", len(compared.changes))
        % {"count": len(compared.changes)},
    ]
    if compared.at_risk:
        items = ", ".join(list(compared.at_risk)[:20])
        lines.append(
            _("Collected answers are at risk when moved here: %(items)s.") % {"items": items}
        )
    return lines


def retire(request: HttpRequest, pk: int) -> HttpResponse:
    version = version_of(request, pk)
    if not can(request.user, FORMS.may_publish, version):
        raise PermissionDenied
    if version.state != State.PUBLISHED:
        raise Http404

    def act(reason: str) -> None:
        services.retire_version(FORMS, actor=request.user, version_id=pk, reason=reason)

    return ask(
        request,
        ReasonForm(request.POST or None),
        act,
        title=_("Retire version %(number)s") % {"number": version.number},
        words=_("No new “%(form)s” can be begun. Answers that there are stay as they are.")
        % {"form": version.design},
        back=reverse("forms:design", args=[version.design_id]),
        danger=True,
    )


def discard(request: HttpRequest, pk: int) -> HttpResponse:
    draft = draft_of(request, pk)
    alone = not FormVersion.objects.filter(design=draft.design).exclude(pk=pk).exists()
    back = reverse("forms:designs") if alone else reverse("forms:design", args=[draft.design_id])

    def act(reason: str) -> None:
        services.discard_draft(FORMS, actor=request.user, version_id=pk, reason=reason)

    return ask(
        request,
        ReasonForm(request.POST or None),
        act,
        title=_("Discard draft %(number)s") % {"number": draft.number},
        words=_("The draft of “%(form)s” goes out of every list.") % {"form": draft.design},
        back=back,
        danger=True,
    )
