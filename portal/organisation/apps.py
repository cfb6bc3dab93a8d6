from django.utils.translation import gettext_lazy as _

from portal.registry import NavigationItem, PortalModule, Privilege

CHANGE = "organisation.change_units"


class Organisation(PortalModule):
    name = "portal.organisation"
    verbose_name = _("Organisation")
    icon = "organisation"
    privileges = (
        Privilege(
            CHANGE,
            _("Change the organisation tree"),
            _("Make, move, merge and close units at or below one's own, and say who belongs there"),
        ),
    )
    navigation = (NavigationItem(_("Units"), "organisation:units", "organisation", (CHANGE,)),)
    urls = "portal.organisation.urls"

    def ready(self) -> None:
        super().ready()
        from portal.access.policies import AccessPolicy, ByUnit
        from portal.organisation.models import Membership, Unit

        # said here, since the tree's models lie below the floor that decides
        Unit.access = AccessPolicy(view=(CHANGE,), scopes={CHANGE: ByUnit("")})
        Membership.access = AccessPolicy(view=(CHANGE,), scopes={CHANGE: ByUnit("unit")})  # type: ignore[attr-defined]
