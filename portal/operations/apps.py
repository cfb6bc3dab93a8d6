from celery.signals import worker_ready
from django.utils.translation import gettext_lazy as _

from portal.registry import (
    HealthCheck,
    NavigationItem,
    PeriodicTask,
    PortalModule,
    Privilege,
    Role,
    Signable,
)


class Operations(PortalModule):
    name = "portal.operations"
    verbose_name = _("Operations")
    icon = "activity"
    urls = "portal.operations.urls"
    privileges = (
        Privilege("operations.see_status", _("See the state of the services"), house_wide=True),
        Privilege(
            "operations.sign_configuration",
            _("Sign the configuration that decides clinical behaviour"),
            house_wide=True,
        ),
    )
    roles = (
        Role(
            "operator",
            _("Operator"),
            (
                "operations.see_status",
                "inbox.read_messages",
                "inbox.replay_messages",
                "notifications.see_outbox",
                "connectors.see_systems",
                "connectors.handle_writes",
            ),
        ),
        Role(
            "configuration_signer",
            _("Signer of configurations"),
            ("operations.see_status", "operations.sign_configuration"),
            significant=True,
        ),
    )
    navigation = (
        NavigationItem(
            _("Operations"), "operations:status", "activity", ("operations.see_status",)
        ),
        NavigationItem(
            _("Signed configuration"),
            "operations:configuration",
            "signature",
            ("operations.see_status", "operations.sign_configuration"),
        ),
        NavigationItem(
            _("Access review"), "operations:access_reviews", "check", ("access.review_access",)
        ),
        NavigationItem(_("Audit trail"), "operations:audit", "history", ("audit.browse_logs",)),
    )
    demo_people = "portal.operations.demo.people"
    demo_data = "portal.operations.demo.load"
    health_checks = (
        HealthCheck("signed configuration", "portal.operations.configuration.check_configuration"),
    )
    signables = (
        Signable(
            "operations.trail_review",
            _("Review of the audit trail"),
            "portal.operations.reviews.signed_facts",
        ),
        Signable(
            "operations.configuration",
            _("Configuration of a module"),
            "portal.operations.configuration.signed_facts",
        ),
        Signable(
            "operations.access_review",
            _("Review of access"),
            "portal.operations.access_review.signed_facts",
        ),
    )
    periodic_tasks = (
        PeriodicTask("operations: beat is alive", "portal.operations.tasks.beat_alive", 15),
        PeriodicTask(
            "operations: signed configuration", "portal.operations.tasks.look_at_configuration", 60
        ),
    )

    task_source = "portal.operations.my_tasks.open_tasks"

    def ready(self) -> None:
        from portal.operations.removed import restorable

        # who may restore what is said by the models' policies: all of them are loaded by now
        codes = {model.access.restore for model in restorable()}  # type: ignore[attr-defined]
        if codes:
            removed = NavigationItem(
                _("Removed"), "operations:removed", "trash", tuple(sorted(codes))
            )
            type(self).navigation = (*Operations.navigation, removed)
        super().ready()
        from portal.operations import metrics  # noqa: F401 counts the tasks of this process
        from portal.operations.watch import look_when_worker_starts

        worker_ready.connect(look_when_worker_starts)
