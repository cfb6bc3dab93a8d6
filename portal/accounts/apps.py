from django.utils.translation import gettext_lazy as _

from portal.registry import PeriodicTask, PortalModule, Privilege


class Accounts(PortalModule):
    name = "portal.accounts"
    verbose_name = _("People and login")
    urls = "portal.accounts.urls"
    privileges = (
        Privilege("accounts.manage_external", _("Make, change and suspend external accounts")),
    )
    periodic_tasks = (
        PeriodicTask(
            "accounts: suspend inactive ones", "portal.accounts.tasks.suspend_inactive", 24 * 3600
        ),
    )
