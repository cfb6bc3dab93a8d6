from django.utils.translation import gettext_lazy as _

from portal.registry import (
    HealthCheck,
    NavigationItem,
    PeriodicTask,
    PortalModule,
    Privilege,
    Role,
)


class Accounts(PortalModule):
    name = "portal.accounts"
    verbose_name = _("People and login")
    icon = "user"
    urls = "portal.accounts.urls"
    privileges = (
        Privilege(
            "accounts.manage_external",
            _("Make, change and suspend external accounts"),
            _("Also set up, as administrator, the accounts and roles that owners apply for"),
        ),
        Privilege(
            "accounts.own_requests",
            _("Apply for accounts, and approve them"),
            _("As owner of what people ask to use at the unit"),
        ),
        Privilege(
            "accounts.manage_people",
            _("Suspend and reactivate staff and local administrators"),
            house_wide=True,
        ),
        Privilege(
            "accounts.manage_sessions",
            _("See and end other people's log-ins"),
            house_wide=True,
        ),
    )
    roles = (
        Role("account_owner", _("Owner of accounts"), ("accounts.own_requests",)),
        Role(
            "account_administrator",
            _("Account administrator"),
            ("accounts.manage_external",),
            significant=True,
        ),
        Role(
            "people_administrator",
            _("Administrator of people and log-ins"),
            ("accounts.manage_people", "accounts.manage_sessions"),
            significant=True,
        ),
    )
    navigation = (
        NavigationItem(_("Requests for access"), "accounts:requests", "key"),
        NavigationItem(
            _("People and log-ins"),
            "accounts:people",
            "user",
            ("accounts.manage_people", "accounts.manage_sessions"),
        ),
        NavigationItem(
            _("External accounts"),
            "accounts:external",
            "users",
            ("accounts.manage_external",),
        ),
    )
    periodic_tasks = (
        PeriodicTask(
            "accounts: suspend inactive ones", "portal.accounts.tasks.suspend_inactive", 24 * 3600
        ),
        PeriodicTask("accounts: end sessions in time", "portal.accounts.tasks.end_sessions", 60),
        PeriodicTask(
            "accounts: forget used logout tokens", "portal.accounts.tasks.forget_tokens", 3600
        ),
    )
    task_source = "portal.accounts.selectors.open_tasks"
    health_checks = (HealthCheck("login service", "portal.accounts.health.check_login_service"),)

    def ready(self) -> None:
        super().ready()
        from portal.accounts import receivers

        receivers.connect()
