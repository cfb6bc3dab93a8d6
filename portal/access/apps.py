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
        Privilege(
            "access.explain",
            _("See why a person may see something"),
            _("About what belongs to one's own units"),
        ),
        Privilege(
            "access.review_access",
            _("Review access"),
            _("Once a year confirm or revoke what is held at or below one's own unit"),
        ),
        Privilege(
            "access.act_as",
            _("Act in another role, for support"),
            _("Hold another role for an hour; every act shows both identities"),
            house_wide=True,
        ),
    )
    roles = (
        Role(
            "portal_administrator",
            _("Portal administrator"),
            (
                "access.grant_role",
                "access.administer",
                "access.explain",
                "access.review_access",
                "organisation.change_units",
                "audit.browse_logs",
                "audit.export_logs",
            ),
            significant=True,
        ),
        Role(
            "site_administrator",
            _("Site administrator"),
            ("access.act_as", "access.explain"),
            significant=True,
        ),
        Role(
            "unit_administrator",
            _("Administrator of access at a unit"),
            (
                "access.grant_role",
                "access.administer",
                "access.explain",
                "access.review_access",
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
        NavigationItem(_("Act in another role"), "access:act_as", "user", ("access.act_as",)),
    )
    urls = "portal.access.urls"

    def ready(self) -> None:
        super().ready()
        from django.db.models.signals import post_migrate

        from portal.access.services import sync_predefined_roles

        post_migrate.connect(
            lambda **_: sync_predefined_roles(), sender=self, weak=False, dispatch_uid="roles"
        )
