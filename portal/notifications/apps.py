from django.utils.translation import gettext_lazy as _

from portal.registry import (
    HealthCheck,
    LiveTopic,
    NavigationItem,
    PeriodicTask,
    PortalModule,
    Privilege,
)


class Notifications(PortalModule):
    name = "portal.notifications"
    verbose_name = _("Notifications")
    icon = "bell"
    urls = "portal.notifications.urls"
    privileges = (
        Privilege("notifications.see_outbox", _("See and retry undelivered mail"), house_wide=True),
    )
    navigation = (
        NavigationItem(
            _("Outgoing mail"), "notifications:outbox", "mail", ("notifications.see_outbox",)
        ),
    )
    live_topics = (LiveTopic(r"person/(?P<pk>\d+)", "portal.notifications.services.is_oneself"),)
    periodic_tasks = (
        PeriodicTask("mail: send", "portal.notifications.tasks.send_mail", 10),
        PeriodicTask("mail: daily", "portal.notifications.tasks.send_daily_mail", 600),
    )
    health_checks = (HealthCheck("mail", "portal.notifications.outbox.check_outbox"),)
