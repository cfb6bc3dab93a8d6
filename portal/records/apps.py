from portal.registry import PortalModule


class Records(PortalModule):
    name = "portal.records"
    verbose_name = "Records"
