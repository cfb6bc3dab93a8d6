from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html

from dummy.models import Thing
from portal.access.decision import can, require, visible
from portal.organisation.models import Unit
from portal.registry import registry


def things(request: HttpRequest) -> HttpResponse:
    require(request.user, "dummy.see_things")
    return render(
        request, "dummy/things.html", {"things": visible(request.user, Thing.objects.all())}
    )


def panel(request: HttpRequest) -> str:
    return format_html("<p>{}</p>", registry.settings_for("dummy").greeting)


def search(user: Any, query: str) -> list[tuple[str, str]]:
    found = visible(user, Thing.objects.filter(name__icontains=query))
    return [(str(thing), "/dummy/") for thing in found]


def may_listen(user: Any, pk: str) -> bool:
    unit = Unit.objects.filter(pk=pk).first()
    return unit is not None and can(user, "dummy.see_things", Thing(unit=unit))
