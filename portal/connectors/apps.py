from django.conf import settings
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


class Connectors(PortalModule):
    name = "portal.connectors"
    verbose_name = _("Outside systems")
    icon = "link"
    urls = "portal.connectors.urls"
    privileges = (
        Privilege(
            "connectors.see_systems",
            _("See outside systems, and what waits to be written to them"),
            house_wide=True,
        ),
        Privilege(
            "connectors.handle_writes",
            _("Correct, send again and drop what an outside system refused"),
            house_wide=True,
        ),
    )
    roles = (
        Role(
            "operator",
            _("Operator of outside systems"),
            ("connectors.see_systems", "connectors.handle_writes"),
        ),
    )
    navigation = (
        NavigationItem(
            _("Outside systems"), "connectors:systems", "link", ("connectors.see_systems",)
        ),
    )
    live_topics = (
        LiveTopic(r"connectors", "portal.connectors.selectors.may_listen"),
        LiveTopic(
            r"outside/(?P<digest>[0-9a-f]{32})", "portal.connectors.services.reading.may_listen"
        ),
    )
    periodic_tasks = (
        PeriodicTask("outside systems: write", "portal.connectors.tasks.deliver_all", 10),
        PeriodicTask("outside systems: look after", "portal.connectors.tasks.look_after", 60),
        PeriodicTask("outside systems: tidy", "portal.connectors.tasks.tidy", 3600),
    )
    task_source = "portal.connectors.selectors.tasks_for"

    def ready(self) -> None:
        type(self).health_checks = tuple(
            HealthCheck(
                f"outside system {code}",
                "portal.connectors.health.check_system",
                (code,),
                minor=True,
            )
            for code in settings.PORTAL_OUTSIDE_SYSTEMS
        )
        super().ready()
