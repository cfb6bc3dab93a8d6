"""Moving, merging, closing and reopening: what will happen is shown before it does (PT-010)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.access.acts import ask
from portal.organisation import selectors, services
from portal.organisation.forms import ActForm, CloseForm, TargetForm
from portal.organisation.models import Unit
from portal.organisation.views.units import one_unit


def move(request: HttpRequest, pk: int) -> HttpResponse:
    unit = one_unit(request, pk)
    titles = (_("Move %(unit)s"), _("Move %(unit)s to %(target)s"))
    choices = selectors.open_units(request.user)
    return _to_another(request, unit, choices, titles, selectors.moving, services.move_unit)


def merge(request: HttpRequest, pk: int) -> HttpResponse:
    unit = one_unit(request, pk)
    titles = (_("Merge %(unit)s into another unit"), _("Merge %(unit)s into %(target)s"))
    choices = selectors.open_units(request.user)
    return _to_another(
        request, unit, choices, titles, selectors.merging, services.merge_units, danger=True
    )


def _to_another(
    request: HttpRequest,
    unit: Unit,
    choices: Any,
    titles: tuple[str, str],
    consequences: Callable[[Unit, Unit], list[str]],
    service: Callable[..., Any],
    *,
    danger: bool = False,
) -> HttpResponse:
    """First where to, asked by GET; then what comes of it, and the reason."""
    where = TargetForm(request.GET or None, units=choices.exclude(path__startswith=unit.path))
    if not where.is_valid():
        context = {"form": where, "unit": unit, "title": titles[0] % {"unit": unit}}
        status = 422 if where.errors else 200
        return render(request, "organisation/target.html", context, status=status)
    target = where.cleaned_data["to"]
    return ask(
        request,
        ActForm(request.POST or None, initial={"version": unit.version}),
        lambda version, **values: service(
            actor=request.user, unit=unit, target=target, expected_version=version, **values
        ),
        title=titles[1] % {"unit": unit, "target": target},
        words=_("This will happen:"),
        lines=consequences(unit, target),
        back=reverse("organisation:unit", args=[unit.pk]),
        danger=danger,
    )


def close(request: HttpRequest, pk: int) -> HttpResponse:
    unit = one_unit(request, pk)
    has_below = Unit.objects.open().filter(path__startswith=unit.path).count() > 1
    return ask(
        request,
        CloseForm(
            request.POST or None,
            initial={"version": unit.version, "closed_on": timezone.localdate()},
            has_below=has_below,
        ),
        lambda version, **values: services.close_unit(
            actor=request.user, unit=unit, expected_version=version, **values
        ),
        title=_("Close %(unit)s") % {"unit": unit},
        words=_("This will happen:"),
        lines=selectors.closing(unit),
        back=reverse("organisation:unit", args=[unit.pk]),
        danger=True,
    )


def reopen(request: HttpRequest, pk: int) -> HttpResponse:
    unit = one_unit(request, pk)
    return ask(
        request,
        ActForm(request.POST or None, initial={"version": unit.version}),
        lambda version, **values: services.reopen_unit(
            actor=request.user, unit=unit, expected_version=version, **values
        ),
        title=_("Open %(unit)s again") % {"unit": unit},
        words=_(
            "The unit can be chosen again. Roles, profiles, groups and memberships that ended with"
            " it stay ended."
        ),
        back=reverse("organisation:unit", args=[unit.pk]),
    )
