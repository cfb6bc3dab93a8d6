from django.utils.translation import gettext_lazy as _

from portal.registry import PortalModule


class Documents(PortalModule):
    name = "portal.documents"
    verbose_name = _("Documents")
    icon = "file"
    urls = "portal.documents.urls"
