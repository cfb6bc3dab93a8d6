"""Conducting cases: beginning, transitions taken by people, by timers and by themselves, moving.

A module says once, in a `Conduct`, what its cases are and what their actions do; the design area
names it (``DesignArea.conduct``), so that timers find it::

    CONDUCT = Conduct(
        area="digital_review", case_model=Case, passage_model=CasePassage,
        facts=facts_of,            # (case) -> Facts
        roles=roles_of,            # (actor, case) -> the roles in which the actor may act on it
        perform=perform,           # (actor, case, action): one action, in the transaction
        topic=lambda case: f"digital_review/case/{case.pk}",
        missing=missing_of,        # (case) -> what is not there yet, in words, when forced
    )

A transition that the role ``system`` may take is taken as soon as its guard is true: by `settle`,
which a module's services call after whatever may have made it so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require, visible
from portal.audit.services import record
from portal.flows.models import FlowCase, FlowVersion, Passage
from portal.flows.models.designs import PUBLISH_FLOWS
from portal.flows.rules.definition import Action, Machine
from portal.flows.rules.publishing import Registry
from portal.flows.rules.running import (
    Facts,
    NotPossible,
    Position,
    Possibility,
    Step,
    begin,
    move,
    possibilities,
    run_out,
    runs_out_at,
    stranded,
    take,
    timers_due,
)
from portal.flows.selectors import machine_of
from portal.forms.rules.faults import Faulty
from portal.live.services import publish
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.records.services import locked, writes
from portal.registry import registry

logger = logging.getLogger(__name__)

SYSTEM = "system"
"""The role of the machine itself: what it may take is taken once its guard is true."""
MOST_STEPS = 20
"""A machine that goes on by itself for longer than this runs in a ring."""


def _nothing_missing(_: Any) -> list[str]:
    return []


@dataclass(frozen=True)
class Conduct:
    """What a module's cases are, and what happens to them."""

    area: str
    case_model: type[FlowCase]
    passage_model: type[Passage]
    facts: Callable[[Any], Facts]
    roles: Callable[[Any, Any], Collection[str]]
    perform: Callable[[Any, Any, Action], None]
    topic: Callable[[Any], str]
    missing: Callable[[Any], list[str]] = _nothing_missing


def conducts() -> list[Conduct]:
    """Of every installed module that conducts cases."""
    return [import_string(area.conduct) for area in registry.design_areas() if area.conduct]


def actions_for(version: FlowVersion) -> Registry:
    """The actions that there are for a flow, by its design's area."""
    area = registry.design_area(version.design.area)
    if area is None or not area.flow_actions:
        return {}
    actions: Registry = import_string(area.flow_actions)(version.design)
    return actions


# --- beginning and going on -----------------------------------------------------------------------


def begin_case(conduct: Conduct, *, actor: Any, case: Any) -> Any:
    """Put a new, unsaved case into its flow's start state, and save it.

    Within the caller's transaction, which decided that it may be.
    """
    step = begin(machine_of(case.flow_version), timezone.now(), actions_for(case.flow_version))
    _stand(case, step.position)
    case.save()
    _pass(conduct, case, actor, step, from_state="")
    _perform(conduct, actor, case, step)
    return case


def possible(conduct: Conduct, actor: Any, case: Any) -> tuple[Possibility, ...]:
    """Every transition that leaves the case's state: open to the actor, or why not."""
    return possibilities(
        machine_of(case.flow_version),
        case.flow_state,
        facts=conduct.facts(case),
        roles=conduct.roles(actor, case),
        today=timezone.localdate(),
    )


@writes
def take_transition(
    conduct: Conduct, *, actor: Any, case_id: int, code: str, reason: str = ""
) -> Any:
    """A person takes a transition. Refused (``gone``, ``not_possible`` with every reason why)."""
    case = locked(_cases(conduct, actor), case_id)
    machine = machine_of(case.flow_version)
    transition = machine.transition(code)
    missing = conduct.missing(case) if transition is not None and transition.forced else []
    try:
        step = take(
            machine,
            case.position,
            code,
            facts=conduct.facts(case),
            roles=conduct.roles(actor, case),
            at=timezone.now(),
            registry=actions_for(case.flow_version),
            today=timezone.localdate(),
            reason=reason,
        )
    except NotPossible as error:
        raise Refused(
            _("This step is not possible now."), code="not_possible", details=[*error.why]
        ) from error
    _go(conduct, actor, case, step, reason=reason, missing=missing)
    settle(conduct, actor=actor, case=case)
    return case


def settle(conduct: Conduct, *, actor: Any, case: Any) -> list[str]:
    """Take whatever the machine takes by itself now; the codes of what was taken.

    Within the caller's transaction, on a locked case.
    """
    machine = machine_of(case.flow_version)
    taken: list[str] = []
    registered = actions_for(case.flow_version)
    for _step in range(MOST_STEPS):
        facts = conduct.facts(case)
        today = timezone.localdate()
        ways = possibilities(machine, case.flow_state, facts=facts, roles={SYSTEM}, today=today)
        way = next((each for each in ways if each.open and not each.transition.forced), None)
        if way is None:
            return taken
        step = take(
            machine,
            case.position,
            way.transition.code,
            facts=facts,
            roles={SYSTEM},
            at=timezone.now(),
            registry=registered,
            today=today,
        )
        _go(conduct, ServiceActor(SYSTEM, actor_behind(actor)), case, step)
        taken.append(way.transition.code)
    logger.error("case %s: its flow goes round by itself: %s", case.pk, taken[-4:])
    raise Refused(_("The flow goes round in a ring by itself."), code="ring")


def actor_behind(actor: Any) -> Any:
    """The person for whom a service acts, or the person."""
    return actor.on_behalf_of if isinstance(actor, ServiceActor) else actor


def _cases(conduct: Conduct, actor: Any) -> Any:
    # the version stays as it is while a case is locked, so it need not be
    return visible(actor, conduct.case_model.objects.select_related("flow_version__design"))  # type: ignore[attr-defined]


def _stand(case: Any, position: Position) -> None:
    case.flow_state, case.flow_since = position.state, position.since
    case.flow_timers = {code: since.isoformat() for code, since in position.timers}
    machine = machine_of(case.flow_version)
    case.flow_due_at = _due_at(machine, position)


def _due_at(machine: Machine, position: Position) -> Any:
    timers = {timer.code: timer for timer in machine.timers_of(position.state)}
    ends = [runs_out_at(timers[code], at) for code, at in position.timers if code in timers]
    return min(ends, default=None)


def _go(
    conduct: Conduct,
    actor: Any,
    case: Any,
    step: Step,
    *,
    reason: str = "",
    timer: str = "",
    missing: Collection[str] = (),
) -> None:
    before = case.flow_state
    _stand(case, step.position)
    case.save()
    _pass(
        conduct, case, actor, step, from_state=before, reason=reason, timer=timer, missing=missing
    )
    _perform(conduct, actor, case, step)
    publish(conduct.topic(case), "state", case.pk)


def _pass(
    conduct: Conduct,
    case: Any,
    actor: Any,
    step: Step,
    *,
    from_state: str,
    reason: str = "",
    timer: str = "",
    missing: Collection[str] = (),
) -> None:
    transition = step.transition
    model: Any = conduct.passage_model
    passage = model(
        case=case,
        flow_version=case.flow_version,
        transition=transition.code if transition else "",
        from_state=from_state,
        to_state=step.position.state,
        forced=bool(transition and transition.forced),
        timer=timer,
        reason=reason,
        missing=[*missing],
        taken_by=None if isinstance(actor, ServiceActor) else actor,
        taken_at=timezone.now(),
    )
    passage.save()
    data: dict[str, Any] = {"from": from_state, "to": step.position.state}
    if transition:
        data["transition"] = transition.code
    if timer:
        data["timer"] = timer
    if passage.forced:
        data |= {"forced": True, "missing": [*missing]}
    record(f"{conduct.area}.case_{'forced' if passage.forced else 'went_on'}", case, data=data)


def _perform(conduct: Conduct, actor: Any, case: Any, step: Step) -> None:
    for action in step.actions:
        conduct.perform(actor, case, action)


# --- timers ---------------------------------------------------------------------------------------


def run_timers() -> tuple[int, list[str]]:
    """Let every timer that ran out take its transition: how many did, and which cases failed.

    One transaction a case: what fails with one is told and does not stop the others. A timer whose
    guard is not true yet is asked again at the next run.
    """
    done, failed = 0, []
    for conduct in conducts():
        due = conduct.case_model.objects.filter(flow_due_at__lte=timezone.now())  # type: ignore[attr-defined]
        for pk in [*due.order_by("flow_due_at").values_list("pk", flat=True)]:
            try:
                done += run_timers_of(conduct, actor=ServiceActor("flow timers"), case_id=pk)
            except Exception:
                logger.exception("timers of %s %s", conduct.case_model.__name__, pk)
                failed.append(f"{conduct.case_model.__name__} {pk}")
    return done, failed


@writes
def run_timers_of(conduct: Conduct, *, actor: Any, case_id: int) -> int:
    """The timers of one case; how many transitions came of it."""
    case = locked(_cases(conduct, actor), case_id)
    machine, done = machine_of(case.flow_version), 0
    for due in timers_due(machine, case.position, timezone.now()):
        try:
            with transaction.atomic():
                step = run_out(
                    machine,
                    case.position,
                    due,
                    facts=conduct.facts(case),
                    at=timezone.now(),
                    registry=actions_for(case.flow_version),
                    today=timezone.localdate(),
                )
                _go(conduct, actor, case, step, timer=due.timer.code)
        except NotPossible:
            continue  # a timer before it went elsewhere, or the guard is not true yet
        done += 1
    if done:
        settle(conduct, actor=actor, case=case)
    return done


# --- moving to another version --------------------------------------------------------------------


@writes
def move_cases(
    conduct: Conduct,
    *,
    actor: Any,
    version_id: int,
    to_version_id: int,
    where: Mapping[str, str],
    reason: str,
) -> int:
    """Put the cases of one version of a flow onto another: how many. With a reason, logged.

    ``where``: the new state for an old one that has another name. Faulty as `Refused`
    (``stranded``) naming the states without a place; then no case is moved.
    """
    if not reason.strip():
        raise Refused(_("Moving cases needs a reason."), code="reason_needed")
    versions = FlowVersion.objects.select_related("design__unit")
    old, new = (locked(visible(actor, versions), pk) for pk in (version_id, to_version_id))
    require(actor, PUBLISH_FLOWS, new)
    if old.design_id != new.design_id or new.state != FlowVersion.State.PUBLISHED:
        raise Refused(_("Cases move to a published version of their own flow."), code="not_there")
    machine, now = machine_of(new), timezone.now()
    cases = conduct.case_model.objects.filter(flow_version=old)  # type: ignore[attr-defined]
    cases = [*cases.select_for_update(no_key=True, of=("self",)).order_by("pk")]
    faults = stranded([case.flow_state for case in cases], machine, where)
    if faults:
        states = [str(fault.facts["state"]) for fault in faults]
        raise Refused(
            _("These states have no place in the new version."), code="stranded", details=states
        ) from Faulty(faults)
    for case in cases:
        before, position = case.flow_state, move(case.position, machine, where, now)
        case.flow_version = new
        _stand(case, position)
        case.save()
        _pass(conduct, case, actor, Step(position, ()), from_state=before, reason=reason)
        publish(conduct.topic(case), "state", case.pk)
    record("flows.cases_moved", new, data={"from": old.number, "cases": len(cases)})
    return len(cases)
