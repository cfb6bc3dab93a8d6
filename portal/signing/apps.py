from django.utils.translation import gettext_lazy as _

from portal.registry import HealthCheck, PeriodicTask, PortalModule


class Signing(PortalModule):
    name = "portal.signing"
    verbose_name = _("Signatures")
    icon = "signature"
    urls = "portal.signing.urls"
    periodic_tasks = (
        PeriodicTask("signatures: verify", "portal.signing.tasks.verify_signatures", 24 * 3600),
    )
    health_checks = (HealthCheck("signatures", "portal.signing.services.check_last_run"),)
