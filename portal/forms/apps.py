from django.utils.translation import gettext_lazy as _

from portal.registry import NavigationItem, PortalModule, Privilege, Role


class Forms(PortalModule):
    name = "portal.forms"
    verbose_name = _("Forms")
    icon = "clipboard"
    urls = "portal.forms.urls"
    privileges = (
        Privilege("forms.design_forms", _("Design forms")),
        Privilege("forms.publish_forms", _("Publish and retire versions of forms")),
    )
    roles = (
        Role("designer", _("Form designer"), ("forms.design_forms",)),
        Role(
            "publisher",
            _("Form publisher"),
            ("forms.design_forms", "forms.publish_forms"),
            significant=True,
        ),
    )
    navigation = (
        NavigationItem(_("Forms"), "forms:designs", "clipboard", ("forms.design_forms",)),
    )
