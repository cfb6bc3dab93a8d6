"""Moving cases to the version in use: where they stand, and what each state becomes (DR-107)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from portal.access.decision import require
from portal.access.forms import ReasonForm
from portal.flows import selectors
from portal.flows.models import FlowVersion
from portal.flows.models.designs import PUBLISH_FLOWS
from portal.flows.presentation import state_title
from portal.flows.services.cases import move_cases
from portal.flows.views.designs import find_design
from portal.records.errors import Refused


@dataclass
class Row:
    """One state with its cases, and the states that it can become."""

    state: str
    title: str
    cases: int
    choices: list[tuple[str, str]]
    chosen: str
    stranded: bool = False


@require_http_methods(["GET", "POST"])
def move(request: HttpRequest, pk: int) -> HttpResponse:
    """For who may publish. The cases of one version move together, or none does."""
    design = find_design(request, pk)
    require(request.user, PUBLISH_FLOWS, design)
    target = selectors.latest(design)
    standings = selectors.standings(design)
    others = {each.version.pk: each.version for each in standings if each.version != target}
    sent = request.POST.get("from") or request.GET.get("from", "")
    source = others.get(int(sent) if sent.isdecimal() and len(sent) < 12 else 0)
    if source is None and len(others) == 1:
        source = next(iter(others.values()))
    form = ReasonForm(request.POST or None)
    rows = _rows(standings, source, target, request.POST) if source and target else []
    if request.method == "POST" and source is not None and target is not None and form.is_valid():
        try:
            count = move_cases(
                selectors.conduct_of(design),
                actor=request.user,
                version_id=source.pk,
                to_version_id=target.pk,
                where={row.state: row.chosen for row in rows if row.chosen},
                reason=form.cleaned_data["reason"],
            )
        except Refused as error:
            form.add_error(None, str(error))
            for row in rows:
                row.stranded = row.state in error.details
        else:
            said = ngettext("%(n)s case moved", "%(n)s cases moved", count) % {"n": count}
            messages.success(request, said)
            return redirect("flows:move", design.pk)
    context = {
        "design": design,
        "standings": [
            (each, state_title(selectors.machine_of(each.version), each.state))
            for each in standings
        ],
        "target": target,
        "others": others.values(),
        "source": source,
        "rows": rows,
        "form": form,
        "conducted": selectors.conduct_of(design) is not None,
    }
    return render(request, "flows/move.html", context, status=422 if form.errors else 200)


def _rows(
    standings: list[selectors.Standing], source: FlowVersion, target: FlowVersion, sent: Any
) -> list[Row]:
    old, new = selectors.machine_of(source), selectors.machine_of(target)
    choices = [(each.code, state_title(new, each.code)) for each in new.states]
    found = []
    for each in standings:
        if each.version != source:
            continue
        chosen = sent.get(f"where-{each.state}", each.state if each.state in new.by_code else "")
        found.append(Row(each.state, state_title(old, each.state), each.cases, choices, chosen))
    return found
