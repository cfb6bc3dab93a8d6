from django.utils.translation import gettext_lazy as _

from portal.registry import (
    HealthCheck,
    LiveTopic,
    NavigationItem,
    PeriodicTask,
    PortalModule,
    Privilege,
    Role,
)


class Inbox(PortalModule):
    name = "portal.inbox"
    verbose_name = _("Inbox")
    icon = "inbox"
    urls = "portal.inbox.urls"
    privileges = (
        Privilege(
            "inbox.read_messages",
            _("See received messages and files, and what failed"),
            house_wide=True,
        ),
        Privilege(
            "inbox.replay_messages",
            _("Correct and replay received messages and files"),
            house_wide=True,
        ),
    )
    roles = (
        Role("operator", _("Inbox operator"), ("inbox.read_messages", "inbox.replay_messages")),
    )
    navigation = (NavigationItem(_("Inbox"), "inbox:list", "inbox", ("inbox.read_messages",)),)
    live_topics = (LiveTopic(r"inbox", "portal.inbox.selectors.may_listen"),)
    periodic_tasks = (
        PeriodicTask("inbox: process what waits", "portal.inbox.tasks.process_waiting", 5),
        PeriodicTask("inbox: purge", "portal.inbox.tasks.purge_old", 3600),
    )
    health_checks = (
        HealthCheck("HL7 listener", "portal.inbox.health.check_listener"),
        HealthCheck("inbox", "portal.inbox.health.check_inbox"),
    )
    task_source = "portal.inbox.selectors.tasks_for"
