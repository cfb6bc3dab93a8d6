from django.utils.translation import gettext_lazy as _

from portal.registry import HealthCheck, PeriodicTask, PortalModule, Privilege, Role


class Audit(PortalModule):
    name = "portal.audit"
    verbose_name = _("Audit")
    icon = "history"
    privileges = (
        Privilege("audit.browse_logs", _("Browse audit trail and access log"), house_wide=True),
        Privilege("audit.export_logs", _("Export audit trail and access log"), house_wide=True),
        Privilege(
            "audit.review_trail",
            _("Sign off reviews of the audit trail"),
            # administrators' own acts are in it: their role does not have this
            house_wide=True,
        ),
    )
    roles = (
        Role(
            "auditor",
            _("Auditor"),
            ("audit.browse_logs", "audit.export_logs", "audit.review_trail"),
            significant=True,
        ),
    )
    periodic_tasks = (
        PeriodicTask("audit: verify and anchor", "portal.audit.tasks.verify_and_anchor", 24 * 3600),
    )
    health_checks = (HealthCheck("audit trail", "portal.audit.verification.check_last_run"),)

    def ready(self) -> None:
        super().ready()
        from portal.audit import checks  # noqa: F401 registers them
