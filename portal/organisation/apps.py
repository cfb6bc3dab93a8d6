from django.utils.translation import gettext_lazy as _

from portal.registry import PortalModule, Privilege


class Organisation(PortalModule):
    name = "portal.organisation"
    verbose_name = _("Organisation")
    icon = "tree"
    privileges = (Privilege("organisation.change_units", _("Change the organisation tree")),)
