from django.utils.translation import gettext_lazy as _

from portal.registry import PortalModule


class Connectors(PortalModule):
    name = "portal.connectors"
    verbose_name = _("Outside systems")
    icon = "link"
