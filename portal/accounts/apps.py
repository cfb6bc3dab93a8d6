from django.utils.translation import gettext_lazy as _

from portal.registry import NavigationItem, PeriodicTask, PortalModule, Privilege


class Accounts(PortalModule):
    name = "portal.accounts"
    verbose_name = _("People and login")
    icon = "user"
    urls = "portal.accounts.urls"
    privileges = (
        Privilege("accounts.manage_external", _("Make, change and suspend external accounts")),
    )
    navigation = (
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
    )

    def ready(self) -> None:
        super().ready()
        from portal.accounts import receivers

        receivers.connect()
