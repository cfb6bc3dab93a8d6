from django.utils.translation import gettext_lazy as _

from portal.registry import (
    HealthCheck,
    NavigationItem,
    PeriodicTask,
    PortalModule,
    Privilege,
    Role,
)


class Signing(PortalModule):
    name = "portal.signing"
    verbose_name = _("Signatures")
    icon = "signature"
    urls = "portal.signing.urls"
    privileges = (
        Privilege(
            "signing.revoke_keys",
            _("Revoke signing keys"),
            _("Find the signing keys of the people of one's units, and take them out of use"),
        ),
    )
    roles = (
        Role(
            "key_administrator",
            _("Signing key administrator"),
            ("signing.revoke_keys",),
            significant=True,
        ),
    )
    navigation = (
        NavigationItem(_("Signing keys"), "signing:keys", "key", ("signing.revoke_keys",)),
    )
    periodic_tasks = (
        PeriodicTask("signatures: verify", "portal.signing.tasks.verify_signatures", 24 * 3600),
    )
    health_checks = (HealthCheck("signatures", "portal.signing.services.check_last_run"),)
