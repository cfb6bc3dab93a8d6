from django.utils.translation import gettext_lazy as _

from portal.registry import HealthCheck, NavigationItem, PeriodicTask, PortalModule, Privilege, Role


class Flows(PortalModule):
    name = "portal.flows"
    verbose_name = _("Flows")
    icon = "flow"
    urls = "portal.flows.urls"
    privileges = (
        Privilege("flows.design_flows", _("Design flows")),
        Privilege("flows.publish_flows", _("Publish and retire versions of flows")),
    )
    roles = (
        Role("designer", _("Flow designer"), ("flows.design_flows",)),
        Role(
            "publisher",
            _("Flow publisher"),
            ("flows.design_flows", "flows.publish_flows"),
            significant=True,
        ),
    )
    navigation = (NavigationItem(_("Flows"), "flows:designs", "flow", ("flows.design_flows",)),)
    periodic_tasks = (PeriodicTask("flows: timers", "portal.flows.tasks.run_timers", 300),)
    health_checks = (HealthCheck("flow timers", "portal.flows.tasks.check_timers"),)
