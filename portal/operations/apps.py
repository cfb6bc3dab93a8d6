from django.utils.translation import gettext_lazy as _

from portal.registry import NavigationItem, PeriodicTask, PortalModule, Privilege, Role


class Operations(PortalModule):
    name = "portal.operations"
    verbose_name = _("Operations")
    icon = "activity"
    urls = "portal.operations.urls"
    privileges = (Privilege("operations.see_status", _("See the state of the services")),)
    roles = (
        Role(
            "operator",
            _("Operator"),
            (
                "operations.see_status",
                "inbox.read_messages",
                "inbox.replay_messages",
                "notifications.see_outbox",
            ),
        ),
    )
    navigation = (
        NavigationItem(
            _("Operations"), "operations:status", "activity", ("operations.see_status",)
        ),
        NavigationItem(_("Audit trail"), "operations:audit", "history", ("audit.browse_logs",)),
    )
    demo_people = "portal.operations.demo.people"
    demo_data = "portal.operations.demo.load"
    periodic_tasks = (
        PeriodicTask("operations: beat is alive", "portal.operations.tasks.beat_alive", 15),
    )
