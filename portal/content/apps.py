from django.utils.translation import gettext_lazy as _

from portal.registry import PortalModule


class Content(PortalModule):
    name = "portal.content"
    verbose_name = _("Content")
    icon = "home"
    demo_data = "portal.content.demo.load"
