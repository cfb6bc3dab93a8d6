"""The portal's own part of the table."""

from __future__ import annotations

from typing import Any

from portal.registry import registry
from tests.authorisation import tracershop
from tests.authorisation.expectations import NO_ROLE, Expectations, Row, Topic, anybody, pk_of, post

NOBODY: frozenset[str] = frozenset()
EVERYBODY = frozenset({NO_ROLE, *(f"{module}.{role.code}" for module, role in registry.roles())})
TRACERSHOP = tracershop.EVERYBODY
PORTAL_ADMIN = frozenset({"access.portal_administrator"})
UNIT_ADMIN = frozenset({"access.unit_administrator"})
ADMINISTERS = PORTAL_ADMIN | UNIT_ADMIN
REVIEW_MANAGER = frozenset({"digital_review.review_manager"})
MODULE_ADMINS = REVIEW_MANAGER | {"tracershop.production_admin", "tracershop.site_admin"}
GRANTERS = ADMINISTERS | MODULE_ADMINS
OWNER = frozenset({"accounts.account_owner"})
ACCOUNT_ADMIN = frozenset({"accounts.account_administrator"})
PEOPLE_ADMIN = frozenset({"accounts.people_administrator"})
EXTERNALS = ACCOUNT_ADMIN | MODULE_ADMINS
EXPLAINS = ADMINISTERS | {"access.site_administrator"}
ACTS = frozenset({"access.site_administrator"})
AUDITORS = PORTAL_ADMIN | {"audit.auditor"}
SIGNS_CONFIGURATION = frozenset({"operations.configuration_signer"})
OPERATOR = frozenset({"operations.operator"})
SEES_STATUS = OPERATOR | SIGNS_CONFIGURATION | {"tracershop.site_admin"}
KEY_ADMIN = frozenset({"signing.key_administrator"})
PRODUCTION = tracershop.PRODUCTION
INBOX = OPERATOR | PRODUCTION | {"inbox.operator"}


def _key_id(objects: Any, person: Any) -> dict[str, Any]:
    return {"key_id": objects["key"].key_id}


def _own_key(objects: Any, person: Any) -> dict[str, Any]:
    return {"key_id": objects["own_key"].key_id}


def _own_passkey(objects: Any, person: Any) -> dict[str, Any]:
    return {"key_id": objects["own_passkey"].key_id}


def _customer(objects: Any, person: Any) -> dict[str, Any]:
    return {"kind": "tracershop.customer", "key": str(objects["customer"].pk)}


def _customer_history(objects: Any, person: Any) -> dict[str, Any]:
    return {"model": "tracershop.customer", "pk": str(objects["customer"].pk)}


def _session_of_colleague(objects: Any, person: Any) -> dict[str, Any]:
    return {"pk": objects["colleague"].pk, "session": objects["session_of_colleague"].pk}


def _room_kind(objects: Any, person: Any) -> dict[str, Any]:
    return {"model": "tracershop.roommapping"}


EXPECTED = Expectations(
    urls={
        # access: what is given at units
        "access:grants": Row(GRANTERS),
        "access:grant": Row(GRANTERS),
        # a module admin gives nobody more than they hold; this grant is of a role that holds more
        "access:change_grant": Row(ADMINISTERS, args=pk_of("grant")),
        "access:end_grant": Row(ADMINISTERS, args=pk_of("grant")),
        "access:groups": Row(GRANTERS),
        "access:group_new": Row(GRANTERS),
        "access:group": Row(GRANTERS, args=pk_of("group")),
        "access:rename_group": Row(GRANTERS, args=pk_of("group")),
        "access:end_group": Row(GRANTERS, args=pk_of("group")),
        "access:add_member": post(GRANTERS, args=pk_of("group")),
        "access:remove_member": Row(GRANTERS, args=pk_of("group_member")),
        "access:exceptions": Row(GRANTERS),
        "access:exceptions_of": Row(ADMINISTERS, args=_customer),
        "access:end_exception": Row(ADMINISTERS, args=pk_of("exception")),
        "access:roles": Row(GRANTERS),
        "access:role_new": Row(ADMINISTERS),
        "access:role": Row(ADMINISTERS, args=pk_of("role"), others=ADMINISTERS),
        "access:directory": Row(ADMINISTERS),
        "access:directory_new": Row(ADMINISTERS),
        "access:end_mapping": Row(ADMINISTERS, args=pk_of("mapping")),
        "access:profiles": Row(GRANTERS),
        "access:profile_new": Row(GRANTERS),
        "access:profile": Row(GRANTERS, args=pk_of("profile")),
        "access:end_profile": Row(GRANTERS, args=pk_of("profile")),
        "access:choose_profile": post(
            None, data=lambda o, p: {"profile": o["own_profile"].pk}, exact=True
        ),
        "access:act_as": Row(ACTS),
        "access:stop_acting": post(None),
        "access:explain": Row(EXPLAINS),
        # organisation
        "organisation:units": Row(PORTAL_ADMIN),
        "organisation:unit": Row(PORTAL_ADMIN, args=pk_of("unit")),
        "organisation:unit_new": Row(PORTAL_ADMIN),
        "organisation:change": Row(PORTAL_ADMIN, args=pk_of("unit")),
        "organisation:move": Row(PORTAL_ADMIN, args=pk_of("unit")),
        "organisation:merge": Row(PORTAL_ADMIN, args=pk_of("unit")),
        "organisation:close": Row(PORTAL_ADMIN, args=pk_of("unit")),
        "organisation:reopen": Row(PORTAL_ADMIN, args=pk_of("closed_unit")),
        "organisation:member_new": Row(PORTAL_ADMIN, args=pk_of("unit")),
        "organisation:member": Row(PORTAL_ADMIN, args=pk_of("membership")),
        "organisation:end_member": Row(PORTAL_ADMIN, args=pk_of("membership")),
        # accounts: one's own
        "accounts:sign_out": post(None),
        "accounts:sessions": anybody(),
        "accounts:end_others": post(None),
        "accounts:end_all": post(None),
        # another's is not found, and nothing happens
        "accounts:end_session": post(None, args=pk_of("session"), others=EVERYBODY),
        # accounts: external people, of one's unit
        "accounts:external": Row(EXTERNALS),
        "accounts:external_new": Row(EXTERNALS),
        "accounts:external_account": Row(EXTERNALS, args=pk_of("account")),
        "accounts:external_suspend": Row(EXTERNALS, args=pk_of("account")),
        "accounts:external_reactivate": Row(EXTERNALS, args=pk_of("suspended")),
        "accounts:external_extend": Row(EXTERNALS, args=pk_of("account")),
        "accounts:external_reset": Row(EXTERNALS, args=pk_of("account")),
        # accounts: everybody of the house
        "accounts:people": Row(PEOPLE_ADMIN),
        "accounts:person": Row(PEOPLE_ADMIN, args=pk_of("colleague"), others=PEOPLE_ADMIN),
        "accounts:person_suspend": Row(PEOPLE_ADMIN, args=pk_of("colleague"), others=PEOPLE_ADMIN),
        "accounts:person_reactivate": Row(
            PEOPLE_ADMIN, args=pk_of("suspended_colleague"), others=PEOPLE_ADMIN
        ),
        "accounts:person_end_all": Row(PEOPLE_ADMIN, args=pk_of("colleague"), others=PEOPLE_ADMIN),
        "accounts:person_end_session": Row(
            PEOPLE_ADMIN, args=_session_of_colleague, others=PEOPLE_ADMIN
        ),
        # accounts: asked for in five steps
        "accounts:requests": anybody(),
        "accounts:request_new": anybody(),
        "accounts:request": Row(OWNER | EXTERNALS, args=pk_of("asked")),
        "accounts:request_apply": Row(OWNER, args=pk_of("asked")),
        "accounts:request_create": Row(EXTERNALS, args=pk_of("applied")),
        "accounts:request_approve": Row(OWNER, args=pk_of("made")),
        "accounts:request_refuse": Row(OWNER, args=pk_of("asked")),
        "accounts:request_withdraw": Row(NOBODY, args=pk_of("asked")),
        # documents
        "documents:check": anybody(),
        # inbox
        "inbox:list": Row(INBOX),
        "inbox:message": Row(INBOX, args=pk_of("message"), others=INBOX),
        "inbox:content": Row(INBOX, args=pk_of("message"), others=INBOX),
        "inbox:replay": post(INBOX, args=pk_of("message"), others=INBOX),
        "inbox:correct": Row(INBOX, args=pk_of("message"), others=INBOX),
        "inbox:settle": post(INBOX, args=pk_of("message"), others=INBOX),
        # notifications
        "notifications:list": anybody(),
        "notifications:unread_count": anybody(),
        "notifications:read": post(None, args=pk_of("notification"), exact=True),
        "notifications:read_all": post(None),
        "notifications:choices": anybody(),
        "notifications:tasks": anybody(),
        "notifications:task_list": anybody(),
        "notifications:task_count": anybody(),
        "notifications:outbox": Row(OPERATOR),
        "notifications:retry_mail": post(
            OPERATOR, args=pk_of("given_up"), others=OPERATOR, exact=True
        ),
        "notifications:give_up_mail": Row(OPERATOR, args=pk_of("mail"), others=OPERATOR),
        # operations: the services
        "operations:status": Row(SEES_STATUS),
        "operations:lamps": Row(SEES_STATUS),
        "operations:problems": Row(SEES_STATUS),
        "operations:configuration": Row(SEES_STATUS),
        "operations:configuration_of": Row(
            SEES_STATUS, args=lambda o, p: {"label": "tracershop"}, others=SEES_STATUS
        ),
        # operations: the review of who holds what
        "operations:access_reviews": Row(ADMINISTERS),
        "operations:access_review": Row(ADMINISTERS, args=pk_of("access_review")),
        "operations:confirm_access_review": post(ADMINISTERS, args=pk_of("access_review")),
        "operations:export_access_review": Row(ADMINISTERS, args=pk_of("access_review")),
        "operations:begin_access_review": Row(ADMINISTERS, args=pk_of("unit")),
        "operations:revoke_access_line": Row(ADMINISTERS, args=pk_of("review_line")),
        # operations: the logs
        "operations:audit": Row(AUDITORS),
        "operations:audit_entry": Row(AUDITORS, args=pk_of("trail_entry"), others=AUDITORS),
        "operations:audit_export": Row(AUDITORS),
        "operations:reviews": Row(AUDITORS),
        "operations:review_new": Row(frozenset({"audit.auditor"})),
        "operations:access_log": Row(AUDITORS),
        "operations:access_entry": Row(AUDITORS, args=pk_of("access_entry"), others=AUDITORS),
        "operations:who_saw": Row(AUDITORS),
        "operations:history": Row(AUDITORS | TRACERSHOP, args=_customer_history, others=AUDITORS),
        "operations:removed": Row(
            tracershop.MAPPERS
            | tracershop.ADMIN
            | REVIEW_MANAGER
            | {"digital_review.review_pathologist"}
        ),
        "operations:removed_of": Row(
            tracershop.MAPPERS,
            args=lambda o, p: {"model": "tracershop.roommapping"},
            others=tracershop.MAPPERS,
        ),
        "operations:restore": Row(
            tracershop.SUPERUSER,
            args=lambda o, p: {"model": "tracershop.roommapping", "pk": o["removed_room"].pk},
        ),
        # signing: one's own
        "signing:own": anybody(),
        "signing:set_pin": post(None),
        "signing:change_pin": post(None),
        "signing:revoke_key": post(
            None, args=_own_key, data=lambda o, p: {"reason": "lost"}, exact=True
        ),
        "signing:log_in_again": post(None),
        "signing:passkey_options": post(None),
        "signing:register_passkey": post(None),
        "signing:revoke_passkey": Row(None, args=_own_passkey),
        # signing: others' keys, of one's units
        "signing:keys": Row(KEY_ADMIN),
        "signing:revoke_other": Row(KEY_ADMIN, args=_key_id),
        "signing:verification": Row(AUDITORS),
        # the rest of the page tree is Wagtail's
        "wagtail_serve": anybody(path="/"),
    },
    topics={
        "inbox": Topic(lambda o, p: "inbox", INBOX, on_objects=False),
        r"person/(?P<pk>\d+)": Topic(lambda o, p: f"person/{o['person'].pk}", None),
    },
    tasks=ADMINISTERS | OWNER | ACCOUNT_ADMIN | INBOX,
)
