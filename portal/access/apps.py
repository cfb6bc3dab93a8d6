from django.utils.translation import gettext_lazy as _

from portal.registry import NavigationItem, PortalModule, Privilege, Role


class Access(PortalModule):
    name = "portal.access"
    verbose_name = _("Access")
    icon = "users"
    privileges = (
        Privilege(
            "access.grant_role",
            _("Grant roles"),
            _("Grant and end roles at or below one's own unit, never more than one holds"),
        ),
        Privilege(
            "access.administer",
            _("Administer access"),
            _("Compose roles, map directory groups, grant roles that one does not hold"),
        ),
        Privilege("access.explain", _("See why a person may see something")),
    )
    roles = (
        Role(
            "portal_administrator",
            _("Portal administrator"),
            (
                "access.grant_role",
                "access.administer",
                "access.explain",
                "organisation.change_units",
                "audit.browse_logs",
                "audit.export_logs",
            ),
            significant=True,
        ),
    )
    navigation = (
        NavigationItem(
            _("Roles at units"),
            "access:grants",
            "users",
            ("access.grant_role", "access.administer"),
        ),
        NavigationItem(_("Why may X see Y?"), "access:explain", "eye", ("access.explain",)),
    )
    urls = "portal.access.urls"

    def ready(self) -> None:
        super().ready()
        from django.db.models.signals import post_migrate

        from portal.access.services import sync_predefined_roles

        post_migrate.connect(
            lambda **_: sync_predefined_roles(), sender=self, weak=False, dispatch_uid="roles"
        )
