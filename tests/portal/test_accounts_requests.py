"""The five steps to an account: asked, applied, set up, checked and approved, let in (PT-003)."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import count, product
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from portal.access.decision import can, forget_held
from portal.access.models import Profile, Role, RoleGrant
from portal.access.services import grant_role, needs_approval
from portal.access.standing import Standing
from portal.accounts import selectors
from portal.accounts.models import AccountRequest, RequestedRole, User
from portal.accounts.rules import (
    OPEN,
    NotYours,
    Part,
    RequestAct,
    RequestFacts,
    RequestState,
    why_not_act,
)
from portal.accounts.services import external
from portal.accounts.services import requests as services
from portal.accounts.tasks import suspend_inactive
from portal.audit.models import AuditEntry
from portal.notifications.models import Notification, OutboxMail
from portal.notifications.my_tasks import tasks_for
from portal.organisation.models import Membership, Unit
from portal.records.errors import Refused
from portal.registry import registry
from tests.support.accounts import PASSWORD, is_logged_in, make_external, sign_in
from tests.support.factories import give, make_unit, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("PT-003", "CD-040")]

IN_A_YEAR = timezone.localdate() + timedelta(days=365)


@dataclass
class People:
    """Everybody with a part in it, at one clinic."""

    clinic: Unit
    hospital: Unit
    asker: User
    owner: User
    administrator: User


@pytest.fixture
def people() -> People:
    hospital = make_unit("hospital")
    clinic = make_unit("clinic", hospital)
    found = People(
        clinic,
        hospital,
        make_user("Ask Asker"),
        make_user("Olga Owner"),
        make_user("Adam Admin"),
    )
    give(found.owner, "accounts.account_owner", clinic)
    give(found.administrator, "accounts.account_administrator", clinic)
    give(found.administrator, "access.portal_administrator", clinic)
    return found


@pytest.fixture
def role() -> Role:
    return Role.objects.get(code="tracershop.shop_internal")


@pytest.fixture
def approval(role: Role, monkeypatch: pytest.MonkeyPatch) -> Iterator[Role]:
    """The module declares that the role takes an approved request."""
    declared = [
        (module, replace(each, approval=f"{module}.{each.code}" == role.code))
        for module, each in registry.roles()
    ]
    monkeypatch.setattr(registry, "roles", lambda: declared)
    return role


def ask(people: People, **changes: Any) -> AccountRequest:
    values: dict[str, Any] = {
        "module": "tracershop",
        "unit": people.clinic,
        "wish": "orders for the company",
        "name": "Ole Ude",
        "email": "Ole@Company.example",
    }
    return services.request_account(actor=people.asker, **values | changes)


def ask_for_staff(people: People, person: User) -> AccountRequest:
    return ask(people, person=person, name="", email="")


def apply(people: People, request: AccountRequest, role: Role, **changes: Any) -> AccountRequest:
    values: dict[str, Any] = {"unit": people.clinic, "roles": [role], "expires_on": IN_A_YEAR}
    return services.apply_for_account(actor=people.owner, request_id=request.pk, **values | changes)


def set_up(people: People, request: AccountRequest) -> AccountRequest:
    return services.set_up_account(actor=people.administrator, request_id=request.pk)


def approve(people: People, request: AccountRequest) -> AccountRequest:
    return services.approve_account(actor=people.owner, request_id=request.pk)


def as_far_as(people: People, role: Role, state: RequestState, **changes: Any) -> AccountRequest:
    request = ask(people, **changes)
    if state is not RequestState.REQUESTED:
        request = apply(people, request, role)
    if state in (RequestState.CREATED, RequestState.APPROVED):
        request = set_up(people, request)
    if state is RequestState.APPROVED:
        request = approve(people, request)
    return request


def fresh(user: User) -> User:
    return User.objects.get(pk=user.pk)


# --- the whole way ------------------------------------------------------------------------------


def test_an_external_person_gets_an_account_in_five_steps_and_not_before_the_last(
    people: People, role: Role
) -> None:
    request = ask(people)
    assert not User.all_objects.filter(username="ole@company.example").exists()
    apply(people, request, role, below=False, roles_end_on=IN_A_YEAR)
    assert not User.all_objects.filter(username="ole@company.example").exists()

    request = set_up(people, request)
    ole = User.objects.get(username="ole@company.example")
    assert request.person == ole
    assert (ole.is_active, ole.expires_on, ole.managed_by) == (
        False,
        IN_A_YEAR,
        people.administrator,
    )
    assert ole.awaits_approval
    assert not RoleGrant.objects.filter(user=ole).exists()
    assert not OutboxMail.objects.filter(to=ole.email).exists()

    approve(people, request)
    ole.refresh_from_db()
    assert ole.is_active
    [grant] = RoleGrant.objects.filter(user=ole)
    assert (grant.role, grant.unit, grant.below, grant.ends_on, grant.granted_by) == (
        role,
        people.clinic,
        False,
        IN_A_YEAR,
        people.administrator,
    )
    [mail] = OutboxMail.objects.filter(to=ole.email)
    client = Client()
    page = client.get(urlsplit(re.findall(r"https?://\S+", mail.text)[0]).path, follow=True)
    client.post(page.request["PATH_INFO"], {"new_password1": PASSWORD, "new_password2": PASSWORD})
    login = {"username": ole.username, "password": PASSWORD}
    assert client.post(reverse("accounts:login"), login)["Location"] == reverse("accounts:enrol")

    written = AuditEntry.objects.filter(action__startswith="accounts.request_").order_by("pk")
    assert [(entry.action, entry.actor_name) for entry in written] == [
        ("accounts.request_made", "Ask Asker"),
        ("accounts.request_applied", "Olga Owner"),
        ("accounts.request_created", "Adam Admin"),
        ("accounts.request_approved", "Olga Owner"),
    ]
    assert written[1].data["roles"] == [role.code]
    granted = AuditEntry.objects.get(action="access.role_granted")
    assert granted.actor_name == "Adam Admin"
    assert granted.reason == f"request {request.pk}"


def test_a_member_of_staff_gets_roles_alone_and_none_before_the_approval(
    people: People, role: Role
) -> None:
    ida = make_user("Ida Inside")
    privilege = role.privileges[0]
    request = ask_for_staff(people, ida)
    apply(people, request, role, expires_on=None)
    set_up(people, request)
    assert not can(fresh(ida), privilege)
    approve(people, request)
    assert can(fresh(ida), privilege)
    assert not OutboxMail.objects.filter(to=ida.email, subject__contains="access").exists()
    assert fresh(ida).expires_on is None


def test_a_person_asks_for_themselves(people: People, role: Role) -> None:
    request = ask_for_staff(people, people.asker)
    assert (request.person, request.requester, request.name) == (
        people.asker,
        people.asker,
        "Ask Asker",
    )
    apply(people, request, role, expires_on=None)
    set_up(people, request)
    approve(people, request)
    assert can(fresh(people.asker), role.privileges[0])


def test_a_role_that_is_held_already_is_no_obstacle(people: People, role: Role) -> None:
    ida = make_user("Ida Inside")
    request = ask_for_staff(people, ida)
    apply(people, request, role)
    set_up(people, request)
    give(ida, role.code, people.clinic)
    approve(people, request)
    assert RoleGrant.objects.filter(user=ida).count() == 1


# --- who may do what ----------------------------------------------------------------------------

REQUESTER, SUBJECT, OWNER, ADMINISTRATOR, OTHER = 1, 2, 3, 4, 5
BOTH = frozenset(Part)


def why(act: RequestAct, state: RequestState, actor: int, parts: Any = BOTH) -> NotYours | None:
    facts = RequestFacts(state, REQUESTER, SUBJECT, OWNER, ADMINISTRATOR)
    return why_not_act(act, facts, actor=actor, parts=parts)


STEPS = {
    RequestState.REQUESTED: RequestAct.APPLY,
    RequestState.APPLIED: RequestAct.CREATE,
    RequestState.CREATED: RequestAct.APPROVE,
}
TURNS = {
    RequestState.REQUESTED: Part.OWNER,
    RequestState.APPLIED: Part.ADMINISTRATOR,
    RequestState.CREATED: Part.OWNER,
}


@pytest.mark.parametrize(("state", "act"), list(product(RequestState, RequestAct)))
def test_every_act_has_its_states_and_its_part(state: RequestState, act: RequestAct) -> None:
    possible = state in OPEN and (
        act in (RequestAct.REFUSE, RequestAct.WITHDRAW) or STEPS[state] is act
    )
    if not possible:
        assert why(act, state, OTHER) is NotYours.STATE
        return
    if act is RequestAct.WITHDRAW:
        assert why(act, state, REQUESTER, frozenset()) is None
        assert why(act, state, SUBJECT, frozenset()) is None
        assert why(act, state, OTHER) is NotYours.PART
        return
    part = TURNS[state]
    assert why(act, state, OTHER, {part}) is None
    assert why(act, state, OTHER, BOTH - {part}) is NotYours.PART
    assert why(act, state, OTHER, frozenset()) is NotYours.PART
    assert why(act, state, SUBJECT) is NotYours.SUBJECT


def test_owner_and_administrator_are_two_people() -> None:
    assert why(RequestAct.CREATE, RequestState.APPLIED, OWNER) is NotYours.FOUR_EYES
    assert why(RequestAct.APPROVE, RequestState.CREATED, ADMINISTRATOR) is NotYours.FOUR_EYES
    assert why(RequestAct.APPROVE, RequestState.CREATED, OWNER) is None
    # refusing gives nobody anything
    assert why(RequestAct.REFUSE, RequestState.APPLIED, OWNER) is None
    assert why(RequestAct.REFUSE, RequestState.CREATED, ADMINISTRATOR) is None


def test_one_person_with_every_privilege_gets_nobody_in_alone(people: People, role: Role) -> None:
    everything = make_user("Eve Everything")
    for code in ("accounts.account_owner", "accounts.account_administrator"):
        give(everything, code, people.clinic)
    give(everything, "access.portal_administrator", people.clinic)
    request = services.request_account(
        actor=everything,
        module="tracershop",
        unit=people.clinic,
        wish="x",
        name="Mallory",
        email="mallory@company.example",
    )
    services.apply_for_account(
        actor=everything,
        request_id=request.pk,
        unit=people.clinic,
        roles=[role],
        expires_on=IN_A_YEAR,
    )
    with pytest.raises(Refused) as refusal:
        services.set_up_account(actor=everything, request_id=request.pk)
    assert refusal.value.code == "four_eyes"
    services.set_up_account(actor=people.administrator, request_id=request.pk)
    services.approve_account(actor=everything, request_id=request.pk)

    # and the other way round: who set it up does not approve it
    second = as_far_as(people, role, RequestState.APPLIED, email="x@company.example", name="X")
    services.set_up_account(actor=everything, request_id=second.pk)
    with pytest.raises(Refused) as refusal:
        services.approve_account(actor=everything, request_id=second.pk)
    assert refusal.value.code == "four_eyes"


def test_nobody_applies_sets_up_or_approves_for_themselves(people: People, role: Role) -> None:
    for person in (people.owner, people.administrator):
        request = services.request_account(
            actor=person, module="tracershop", unit=people.clinic, wish="x", person=person
        )
        if person == people.owner:
            with pytest.raises(Refused) as refusal:
                apply(people, request, role)
            assert refusal.value.code == "subject"
            second = make_user("Otto Owner")
            give(second, "accounts.account_owner", people.clinic)
            services.apply_for_account(
                actor=second, request_id=request.pk, unit=people.clinic, roles=[role]
            )
            set_up(people, request)
            with pytest.raises(Refused) as refusal:
                approve(people, request)
        else:
            apply(people, request, role)
            with pytest.raises(Refused) as refusal:
                set_up(people, request)
        assert refusal.value.code == "subject"


@pytest.mark.parametrize("state", OPEN)
def test_strangers_and_those_of_other_units_find_no_request(
    people: People, role: Role, state: RequestState
) -> None:
    request = as_far_as(people, role, state)
    elsewhere = make_unit("elsewhere", people.hospital)
    for code in ("accounts.account_owner", "accounts.account_administrator"):
        stranger = make_user(f"Else {code}")
        give(stranger, code, elsewhere)
        for act, options in (
            (services.apply_for_account, {"unit": people.clinic, "roles": [role]}),
            (services.set_up_account, {}),
            (services.approve_account, {}),
            (services.refuse_request, {"reason": "x"}),
            (services.withdraw_request, {"reason": "x"}),
        ):
            with pytest.raises(Refused) as refusal:
                act(actor=stranger, request_id=request.pk, **options)
            assert refusal.value.code == "gone"
    request.refresh_from_db()
    assert request.state == state


def test_each_part_has_its_own_steps(people: People, role: Role) -> None:
    request = ask(people)
    for actor in (people.asker, people.administrator):
        with pytest.raises(PermissionDenied):
            services.apply_for_account(
                actor=actor, request_id=request.pk, unit=people.clinic, roles=[role]
            )
    apply(people, request, role)
    for actor in (people.asker, people.owner):
        with pytest.raises(PermissionDenied):
            services.set_up_account(actor=actor, request_id=request.pk)
    set_up(people, request)
    for actor in (people.asker, people.administrator):
        with pytest.raises(PermissionDenied):
            services.approve_account(actor=actor, request_id=request.pk)


@pytest.mark.parametrize("state", [*OPEN, RequestState.APPROVED])
def test_a_step_is_taken_once_and_in_its_turn(
    people: People, role: Role, state: RequestState
) -> None:
    request = as_far_as(people, role, state)
    steps = {
        RequestState.REQUESTED: lambda: apply(people, request, role),
        RequestState.APPLIED: lambda: set_up(people, request),
        RequestState.CREATED: lambda: approve(people, request),
    }
    for turn, step in steps.items():
        if turn is not state:
            with pytest.raises(Refused) as refusal:
                step()
            assert refusal.value.code == "state"


def test_what_can_be_done_in_sql_is_what_the_rules_say(people: People, role: Role) -> None:
    """Everybody × requests in every state, of which some are about them or done by them."""
    both = make_user("Bo Both")
    give(both, "accounts.account_owner", people.clinic)
    give(both, "accounts.account_administrator", people.clinic)
    give(both, "access.portal_administrator", people.clinic)
    everybody = [people.asker, people.owner, people.administrator, both]
    numbers = count()
    for state, subject in product(RequestState, [None, *everybody]):
        for owner, administrator in product([None, people.owner, both], repeat=2):
            AccountRequest.objects.create(
                state=state.value,
                module="tracershop",
                unit=make_unit(f"u{next(numbers)}", people.clinic),
                wish="x",
                name="Somebody",
                requester=people.asker,
                person=subject,
                owner=owner,
                administrator=administrator,
            )
    for person in everybody:
        person = fresh(person)
        in_sql = set(selectors.requests_to_do(person).values_list("pk", flat=True))
        steps = set(STEPS.values())
        by_rules = {
            request.pk
            for request in AccountRequest.objects.all()
            if steps & set(selectors.open_acts(person, request))
        }
        assert in_sql == by_rules
    assert selectors.requests_to_do(fresh(both)).exists()


# --- refused and withdrawn ----------------------------------------------------------------------


@pytest.mark.parametrize("state", OPEN)
@pytest.mark.parametrize("way", ["refuse", "withdraw"])
def test_at_any_step_it_can_end_with_a_reason_and_nobody_gets_in(
    people: People, role: Role, state: RequestState, way: str
) -> None:
    request = as_far_as(people, role, state)
    act = services.refuse_request if way == "refuse" else services.withdraw_request
    actor = people.asker
    if way == "refuse":
        actor = people.administrator if state is RequestState.APPLIED else people.owner
    with pytest.raises(Refused) as refusal:
        act(actor=actor, request_id=request.pk, reason=" ")
    assert refusal.value.code == "reason"
    ended = act(actor=actor, request_id=request.pk, reason="not needed")
    assert ended.state == ("refused" if way == "refuse" else "withdrawn")
    entry = AuditEntry.objects.get(action=f"accounts.request_{ended.state}")
    assert (entry.actor_id, entry.reason) == (actor.pk, "not needed")
    assert not User.objects.filter(username="ole@company.example").exists()
    assert not RoleGrant.objects.filter(role=role).exists()
    assert not OutboxMail.objects.filter(to="ole@company.example").exists()
    with pytest.raises(Refused) as refusal:
        approve(people, request)
    assert refusal.value.code == "state"


def test_after_a_refusal_it_can_be_asked_for_again_and_works(people: People, role: Role) -> None:
    first = as_far_as(people, role, RequestState.CREATED)
    services.refuse_request(actor=people.owner, request_id=first.pk, reason="wrong name")
    again = as_far_as(people, role, RequestState.APPROVED, name="Ole Inde")
    assert again.person_id == first.person_id
    ole = User.objects.get(username="ole@company.example")
    assert (ole.name, ole.is_active) == ("Ole Inde", True)


def test_an_account_that_waits_for_two_requests_survives_the_refusal_of_one(
    people: People, role: Role
) -> None:
    other = make_unit("other-clinic", people.clinic)
    first = as_far_as(people, role, RequestState.CREATED)
    second = apply(people, ask(people, unit=other), role, unit=other)
    second = set_up(people, second)
    assert second.person_id == first.person_id
    services.refuse_request(actor=people.owner, request_id=first.pk, reason="not here")
    approve(people, second)
    assert User.objects.get(pk=first.person_id).is_active


def test_two_requests_for_one_person_do_not_come_to_the_same(people: People, role: Role) -> None:
    other = make_unit("other-clinic", people.clinic)
    ask(people)
    second = ask(people, unit=other)
    with pytest.raises(Refused) as refusal:
        apply(people, second, role, unit=people.clinic)
    assert refusal.value.code == "asked_already"
    assert apply(people, second, role, unit=other).state == "applied"


def test_only_who_asked_or_for_whom_it_was_asked_withdraws(people: People, role: Role) -> None:
    ida = make_user("Ida Inside")
    request = ask_for_staff(people, ida)
    with pytest.raises(PermissionDenied):
        services.withdraw_request(actor=people.owner, request_id=request.pk, reason="x")
    services.withdraw_request(actor=ida, request_id=request.pk, reason="I do not want it")


# --- asking -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"wish": " "}, "wish"),
        ({"module": "nothing"}, "module"),
        ({"email": "no mail"}, "mail"),
        ({"name": " "}, "name"),
        ({"email": "KNOWN@company.example"}, "known"),
        ({"email": "ida@hospital.invalid"}, "known"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    people: People, changes: dict[str, Any], code: str
) -> None:
    make_external("Known", username="known@company.example", email="known@company.example")
    make_user("Ida", username="RDAH1", email="ida@hospital.invalid")
    with pytest.raises(Refused) as refusal:
        ask(people, **changes)
    assert refusal.value.code == code
    assert not AccountRequest.objects.exists()


def test_nothing_is_asked_for_at_a_closed_unit_or_for_a_closed_account(people: People) -> None:
    closed = make_unit("closed", people.hospital, closed_on=date(2020, 1, 1))
    for changes in (
        {"unit": closed},
        {"person": make_user("Gone", is_active=False), "name": "", "email": ""},
    ):
        with pytest.raises(Refused) as refusal:
            ask(people, **changes)
        assert refusal.value.code == "closed"


def test_the_same_is_asked_for_once_while_it_is_open(people: People, role: Role) -> None:
    request = ask(people)
    ida = make_user("Ida Inside")
    ask_for_staff(people, ida)
    for again in (
        lambda: ask(people, email="OLE@company.example"),
        lambda: ask_for_staff(people, ida),
    ):
        with pytest.raises(Refused) as refusal:
            again()
        assert refusal.value.code == "asked_already"
    services.withdraw_request(actor=people.asker, request_id=request.pk, reason="x")
    ask(people)


def test_an_external_person_asks_for_nobody_else(people: People) -> None:
    ole = make_external("Ole Ude")
    people.asker = ole
    for changes in ({}, {"person": make_user("Ida"), "name": "", "email": ""}):
        with pytest.raises(PermissionDenied):
            ask(people, **changes)
    assert ask_for_staff(people, ole).person == ole


# --- applying and setting up --------------------------------------------------------------------


def test_an_owner_applies_at_their_own_units_for_roles_of_what_was_asked_for(
    people: People, role: Role
) -> None:
    request = ask(people)
    other = Role.objects.get(code="audit.auditor")
    below = make_unit("room", people.clinic)
    for changes, code in (
        ({"unit": people.hospital}, "outside_unit"),
        ({"unit": make_unit("shut", people.clinic, closed_on=date(2020, 1, 1))}, "outside_unit"),
        ({"roles": []}, "roles"),
        ({"roles": [other]}, "roles"),
        ({"roles": [role, other]}, "roles"),
        ({"expires_on": None}, "past"),
        ({"expires_on": date(2020, 1, 1)}, "past"),
        ({"roles_end_on": date(2020, 1, 1)}, "past"),
        ({"roles": [Role.objects.get(code="tracershop.production_admin")]}, "house_wide"),
    ):
        with pytest.raises(Refused) as refusal:
            apply(people, request, role, **changes)
        assert refusal.value.code == code
        request.refresh_from_db()
        assert (request.state, request.unit) == ("requested", people.clinic)
        assert not RequestedRole.objects.exists()
    assert apply(people, request, role, unit=below).unit == below


def test_an_administrator_sets_up_no_more_than_they_may_grant(people: People, role: Role) -> None:
    small = make_user("Sune Small")
    give(small, "accounts.account_administrator", people.clinic)
    request = as_far_as(people, role, RequestState.APPLIED)
    with pytest.raises((Refused, PermissionDenied)):
        services.set_up_account(actor=small, request_id=request.pk)
    assert not User.all_objects.filter(username="ole@company.example").exists()
    request.refresh_from_db()
    assert request.state == "applied"


def test_an_administrator_who_lost_the_right_meanwhile_grants_nothing(
    people: People, role: Role
) -> None:
    request = as_far_as(people, role, RequestState.CREATED)
    grants = RoleGrant.objects.filter(
        user=people.administrator, role__code="access.portal_administrator"
    )
    for grant in grants:
        grant.deleted_at = timezone.now()
        grant.save()
    with pytest.raises((Refused, PermissionDenied)):
        approve(people, request)
    request.refresh_from_db()
    assert request.state == "created"
    assert fresh(request.person).awaits_approval
    assert not OutboxMail.objects.filter(to="ole@company.example").exists()


def test_what_an_administrator_set_up_who_is_gone_is_not_granted(
    people: People, role: Role
) -> None:
    request = as_far_as(people, role, RequestState.CREATED)
    User.objects.filter(pk=people.administrator.pk).update(deleted_at=timezone.now())
    with pytest.raises(Refused) as refusal:
        approve(people, request)
    assert refusal.value.code == "administrator_gone"
    assert fresh(request.person).awaits_approval


def test_the_administrator_is_judged_in_the_profile_in_which_they_set_it_up(
    people: People, role: Role
) -> None:
    """Whichever they used last: only in one of their profiles they administer access."""
    working, other = (
        Profile.objects.create(user=people.administrator, name=name, unit=people.clinic)
        for name in ("Administration", "Ward")
    )
    for grant in RoleGrant.objects.filter(user=people.administrator):
        grant.profile = working
        grant.save()
    people.administrator.standing = Standing(working.pk)
    forget_held(people.administrator)
    request = as_far_as(people, role, RequestState.CREATED)
    assert request.administrator_profile == working
    other.last_used_at = timezone.now()
    other.save()
    approve(people, request)
    assert RoleGrant.objects.get(user=request.person).granted_by == people.administrator


def test_a_mail_address_that_got_an_account_meanwhile_is_refused(
    people: People, role: Role
) -> None:
    request = as_far_as(people, role, RequestState.APPLIED)
    make_external("Ole Ude", username="ole@company.example", email="ole@company.example")
    with pytest.raises(Refused) as refusal:
        set_up(people, request)
    assert refusal.value.code == "taken"


def test_an_account_that_expired_or_was_suspended_meanwhile_is_not_opened(
    people: People, role: Role
) -> None:
    request = as_far_as(people, role, RequestState.CREATED)
    User.objects.filter(pk=request.person_id).update(expires_on=date(2020, 1, 1))
    with pytest.raises(Refused) as refusal:
        approve(people, request)
    assert refusal.value.code == "past"
    User.objects.filter(pk=request.person_id).update(
        expires_on=IN_A_YEAR, suspended_at=timezone.now()
    )
    with pytest.raises(Refused) as refusal:
        approve(people, request)
    assert refusal.value.code == "closed"
    assert not RoleGrant.objects.filter(user=request.person).exists()


# --- ways around it -----------------------------------------------------------------------------

AROUND: list[tuple[Any, dict[str, Any]]] = [
    (external.suspend_account, {}),
    (external.reactivate_account, {}),
    (external.extend_account, {"expires_on": IN_A_YEAR}),
    (external.reset_second_factor, {}),
]


@pytest.mark.parametrize(("act", "values"), AROUND)
def test_an_account_that_waits_is_not_opened_by_another_door(
    people: People, role: Role, act: Any, values: dict[str, Any]
) -> None:
    request = as_far_as(people, role, RequestState.CREATED)
    with pytest.raises(Refused) as refusal:
        act(actor=people.administrator, user_id=request.person_id, reason="x", **values)
    assert refusal.value.code == "awaits_approval"
    external.request_password_reset(email="ole@company.example")
    suspend_inactive()
    assert not OutboxMail.objects.filter(to="ole@company.example").exists()
    assert fresh(request.person).awaits_approval


def test_a_role_that_takes_approval_is_granted_by_who_administers_access_or_a_request(
    people: People, approval: Role
) -> None:
    Role.objects.create(
        code="test.granter",
        name="Granter",
        module="tracershop",
        privileges=[*approval.privileges, "access.grant_role"],
    )
    granter, ida = make_user("Gerd Granter"), make_user("Ida Inside")
    give(granter, "test.granter", people.clinic)
    assert needs_approval(approval)
    with pytest.raises(Refused) as refusal:
        grant_role(actor=granter, user=ida, role=approval, unit=people.clinic, reason="x")
    assert refusal.value.code == "needs_approval"
    grant_role(
        actor=people.administrator,
        user=make_user("Eva Else"),
        role=approval,
        unit=people.clinic,
        reason="x",
    )

    give(granter, "accounts.account_administrator", people.clinic)
    forget_held(granter)
    people.administrator = granter
    request = ask_for_staff(people, ida)
    apply(people, request, approval)
    set_up(people, request)
    approve(people, request)
    assert can(fresh(ida), approval.privileges[0])


def test_a_role_that_takes_none_is_granted_as_ever(people: People, role: Role) -> None:
    assert not needs_approval(role)


def test_where_accounts_are_made_by_request_no_other_way_makes_one(
    client: Client, people: People, settings: Settings
) -> None:
    settings.PORTAL_ACCOUNTS_BY_REQUEST = True
    with pytest.raises(Refused) as refusal:
        external.create_external_account(
            actor=people.administrator,
            email="ole@company.example",
            name="Ole",
            expires_on=IN_A_YEAR,
            unit=people.clinic,
            reason="x",
        )
    assert refusal.value.code == "by_request"
    sign_in(client, people.administrator)
    page = client.get(reverse("accounts:external")).content.decode()
    assert "Ask for an account" in page
    assert reverse("accounts:external_new") not in page


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_approve_at_once_open_the_account_once(people: People, role: Role) -> None:
    second = make_user("Otto Owner")
    give(second, "accounts.account_owner", people.clinic)
    request = as_far_as(people, role, RequestState.CREATED)
    both = threading.Barrier(2)

    def come(owner: User) -> str:
        try:
            both.wait(timeout=10)
            services.approve_account(actor=owner, request_id=request.pk)
        except Refused as refusal:
            return refusal.code
        else:
            return "approved"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(come, [fresh(people.owner), fresh(second)]))
    assert outcomes == ["approved", "state"]
    assert OutboxMail.objects.filter(to="ole@company.example").count() == 1
    assert RoleGrant.objects.filter(role=role).count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_asked_for_twice_at_once_is_one_request(people: People) -> None:
    both = threading.Barrier(2)

    def come(_number: int) -> str:
        try:
            both.wait(timeout=10)
            ask(people)
        except Refused as refusal:
            return refusal.code
        else:
            return "asked"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(come, range(2))) == ["asked", "asked_already"]


# --- who hears of it ----------------------------------------------------------------------------


def waiting(user: User) -> list[str]:
    return [str(task.title) for group in tasks_for(fresh(user)) for task in group.tasks]


@pytest.mark.requirement("PT-045", "PT-048")
def test_whose_turn_it_is_hears_of_it_and_finds_it_among_their_tasks(
    people: People, role: Role
) -> None:
    def told(user: User) -> list[str]:
        return list(
            Notification.objects.filter(user=user).order_by("pk").values_list("text", flat=True)
        )

    request = ask(people)
    assert told(people.owner) == ["Ole Ude asks for access at Clinic: apply, or refuse."]
    assert told(people.administrator) == []
    assert waiting(people.owner) == ["Apply for accounts, or refuse: 1"]
    assert waiting(people.administrator) == []
    apply(people, request, role)
    assert waiting(people.owner) == []
    assert waiting(people.administrator) == ["Set up accounts: 1"]
    assert len(told(people.administrator)) == 1
    set_up(people, request)
    assert waiting(people.owner) == ["Check and approve accounts: 1"]
    approve(people, request)
    assert waiting(people.owner) == waiting(people.administrator) == []
    assert told(people.asker) == ["The access of Ole Ude at Clinic is approved."]
    assert len(told(people.owner)) == 2
    assert waiting(people.asker) == []


def test_the_tasks_take_the_same_number_of_queries_however_many_wait(
    people: People, role: Role
) -> None:
    counts = []
    for number in range(12):
        ask(people, email=f"person{number}@company.example")
        if number in (0, 11):
            person = fresh(people.owner)
            with CaptureQueriesContext(connection) as queries:
                list(selectors.open_tasks(person))
            counts.append(len(queries))
    assert counts[0] == counts[1] <= 3


# --- pages --------------------------------------------------------------------------------------


def url(name: str, request: AccountRequest | None = None) -> str:
    return reverse(f"accounts:{name}", args=[request.pk] if request else [])


def test_the_whole_way_by_the_pages(client: Client, people: People, role: Role) -> None:
    sign_in(client, people.asker)
    form = {
        "whom": "new",
        "name": "Ole Ude",
        "email": "ole@company.example",
        "module": "tracershop",
        "unit": people.clinic.pk,
        "wish": "orders for the company",
    }
    answer = client.post(url("request_new"), form)
    request = AccountRequest.objects.get()
    assert answer["Location"] == url("request", request)
    page = client.get(answer["Location"]).content.decode()
    assert "owner's turn" in page
    assert "orders for the company" in page
    assert "Withdraw" in page
    assert url("request_apply", request) not in page

    owner, administrator = Client(), Client()
    sign_in(owner, people.owner)
    sign_in(administrator, people.administrator)
    assert "Ole Ude" in owner.get(url("requests")).content.decode()
    assert url("request_apply", request) in owner.get(url("request", request)).content.decode()
    assert owner.get(url("request_apply", request)).status_code == 200
    applied = {
        "unit": people.clinic.pk,
        "roles": [role.pk],
        "below": "on",
        "expires_on": IN_A_YEAR.isoformat(),
    }
    assert owner.post(url("request_apply", request), applied).status_code == 302

    page = administrator.get(url("request", request)).content.decode()
    assert url("request_create", request) in page
    assert role.name in page
    dialog = administrator.get(url("request_create", request), headers={"HX-Request": "true"})
    assert "closed until its owner approves it" in dialog.content.decode()
    assert administrator.post(url("request_create", request), {}).status_code == 302

    page = owner.get(url("request", request)).content.decode()
    assert url("request_approve", request) in page
    assert owner.post(url("request_approve", request), {"reason": ""}).status_code == 302
    page = client.get(url("request", request)).content.decode()
    for words in ("Asked for", "Owner applied", "Set up", "Owner approved", "approved"):
        assert words in page
    assert User.objects.get(username="ole@company.example").is_active


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"whom": "new", "name": "Ole", "email": ""}, "email"),
        ({"whom": "new", "name": "", "email": "ole@company.example"}, "name"),
        ({"whom": "known", "person": ""}, "person"),
        ({"whom": "known", "person": "nobody-is-called-this"}, "person"),
        ({"whom": "somebody"}, "whom"),
        ({"whom": "me", "module": "nothing"}, "module"),
        ({"whom": "me", "unit": "999999"}, "unit"),
        ({"whom": "me", "wish": ""}, "wish"),
    ],
)
def test_a_form_that_is_not_right_says_where(
    client: Client, people: People, form: dict[str, Any], field: str
) -> None:
    sign_in(client, people.asker)
    good = {"module": "tracershop", "unit": people.clinic.pk, "wish": "x"}
    answer = client.post(url("request_new"), good | form)
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert not AccountRequest.objects.exists()


def test_an_external_person_is_asked_nothing_about_others(client: Client, people: People) -> None:
    ole = sign_in(client, make_external("Ole Ude"))
    page = client.get(url("request_new")).content.decode()
    assert 'name="whom"' not in page
    form = {
        "module": "tracershop",
        "unit": people.clinic.pk,
        "wish": "x",
        "whom": "new",
        "name": "Mallory",
        "email": "m@company.example",
    }
    assert client.post(url("request_new"), form).status_code == 302
    assert AccountRequest.objects.get().person == ole


def test_a_strangers_request_is_not_there(client: Client, people: People, role: Role) -> None:
    request = as_far_as(people, role, RequestState.CREATED)
    sign_in(client, make_user("Ib Bo"))
    assert "Ole Ude" not in client.get(url("requests") + "?show=all").content.decode()
    for name in ("", "_apply", "_create", "_approve", "_refuse", "_withdraw"):
        assert client.get(url(f"request{name}", request)).status_code == 404
        if name:
            assert client.post(url(f"request{name}", request), {"reason": "x"}).status_code == 404
    request.refresh_from_db()
    assert request.state == "created"


def test_who_asked_sees_it_and_takes_no_step(client: Client, people: People, role: Role) -> None:
    request = as_far_as(people, role, RequestState.CREATED)
    sign_in(client, people.asker)
    for name in ("apply", "create", "approve", "refuse"):
        assert client.get(url(f"request_{name}", request)).status_code == 403
    assert client.post(url("request_approve", request), {}).status_code == 403
    assert client.post(url("request_refuse", request), {"reason": "x"}).status_code == 403
    answer = client.post(url("request_withdraw", request), {"reason": "not needed"})
    assert answer.status_code == 302
    request.refresh_from_db()
    assert request.state == "withdrawn"


def test_a_step_that_somebody_else_took_meanwhile_says_so(
    client: Client, people: People, role: Role
) -> None:
    request = as_far_as(people, role, RequestState.CREATED)
    sign_in(client, people.owner)
    approve(people, request)
    answer = client.post(url("request_approve", request), {})
    assert answer.status_code == 422
    assert "moved on meanwhile" in answer.content.decode()


def test_the_list_shows_by_turn_open_mine_or_all(
    client: Client, people: People, role: Role
) -> None:
    as_far_as(people, role, RequestState.APPLIED, name="Anna Applied")
    done = as_far_as(
        people, role, RequestState.APPROVED, name="Dan Done", email="d@company.example"
    )
    ask(people, name="Rosa Requested", email="r@company.example")
    ask_for_staff(people, people.owner)

    def names(user: User, show: str) -> set[str]:
        sign_in(client, fresh(user))
        page = client.get(url("requests"), {"show": show}).content.decode()
        every = ("Anna Applied", "Dan Done", "Rosa Requested", "Olga Owner")
        rows = page.split("<tbody>")[-1] if "<tbody>" in page else ""
        return {name for name in every if f">{name}</a>" in rows}

    assert names(people.owner, "todo") == {"Rosa Requested"}
    assert names(people.owner, "open") == {"Anna Applied", "Rosa Requested", "Olga Owner"}
    assert names(people.owner, "mine") == {"Olga Owner"}
    assert names(people.administrator, "todo") == {"Anna Applied"}
    assert names(people.asker, "all") == {
        "Anna Applied",
        "Dan Done",
        "Rosa Requested",
        "Olga Owner",
    }
    assert names(people.asker, "todo") == set()
    assert names(done.person, "all") == {"Dan Done"}


def test_the_list_takes_the_same_number_of_queries_at_any_length(
    client: Client, people: People
) -> None:
    sign_in(client, people.owner)
    counts = []
    for number in range(30):
        ask(people, email=f"person{number}@company.example")
        if number in (4, 29):
            with CaptureQueriesContext(connection) as queries:
                assert client.get(url("requests"), {"show": "open"}).status_code == 200
            counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_external_accounts_page_says_that_an_account_waits(
    client: Client, people: People, role: Role
) -> None:
    request = as_far_as(people, role, RequestState.CREATED)
    sign_in(client, people.administrator)
    page = client.get(reverse("accounts:external")).content.decode()
    assert "Waits for approval" in page
    page = client.get(reverse("accounts:external_account", args=[request.person_id]))
    assert reverse("accounts:external_reset", args=[request.person_id]) not in page.content.decode()
    assert Membership.objects.filter(user=request.person, unit=people.clinic).exists()
    assert not is_logged_in(Client())
