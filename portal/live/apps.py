from portal.registry import PortalModule


class Live(PortalModule):
    name = "portal.live"
    verbose_name = "Live updates"
