"""Customers, where they receive, and who represents them (TS-001, TS-006, TS-101)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from guardian.models import UserObjectPermissionBase

from portal.organisation.models import Unit
from portal.records.models import Record
from tracershop.models.reach import SETUP_RESTORE, shop_policy


class Customer(Record):
    """Who orders and is delivered to: a department of a hospital, or an external company."""

    name = models.CharField(_("name"), max_length=200)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, verbose_name=_("unit"))
    dispenser_id = models.PositiveIntegerField(
        _("number in the dispenser"),
        null=True,
        blank=True,
        help_text=_("As it stands in its files."),
    )
    external = models.BooleanField(_("external"), default=False)
    address = models.TextField(_("address"), blank=True)

    access = shop_policy("", **SETUP_RESTORE)

    class Meta(Record.Meta):
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        permissions = [("see_own_orders", "See the orders of this one customer")]
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(deleted_at__isnull=True), name="customer_name_once"
            ),
            models.UniqueConstraint(
                fields=["dispenser_id"],
                condition=Q(deleted_at__isnull=True),
                name="customer_dispenser_id_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class CustomerUserObjectPermission(UserObjectPermissionBase):
    """Exceptions by django-guardian, with a direct foreign key (PT-014)."""

    content_object = models.ForeignKey(Customer, on_delete=models.CASCADE)


class Endpoint(Record):
    """A place of a customer to which tracers are delivered."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="endpoints")
    name = models.CharField(_("name"), max_length=200)

    access = shop_policy("customer", **SETUP_RESTORE)

    class Meta(Record.Meta):
        verbose_name = _("endpoint")
        verbose_name_plural = _("endpoints")
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "name"],
                condition=Q(deleted_at__isnull=True),
                name="endpoint_name_once",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Contact(Record):
    """Whom of a customer production calls, in a recall first of all (TS-087)."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="contacts")
    name = models.CharField(_("name"), max_length=200)
    function = models.CharField(_("function"), max_length=100, blank=True)
    phone = models.CharField(_("telephone"), max_length=40)
    email = models.EmailField(_("e-mail"), blank=True)
    order = models.PositiveSmallIntegerField(_("called as number"), default=1)

    access = shop_policy("customer", **SETUP_RESTORE)

    class Meta(Record.Meta):
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ("order", "name")

    def __str__(self) -> str:
        return f"{self.name} ({self.phone})"


class Representation(Record):
    """The person may act for the customer (TS-101)."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="represents"
    )
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="representations")

    access = shop_policy("customer")

    class Meta(Record.Meta):
        verbose_name = _("representation")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "customer"],
                condition=Q(deleted_at__isnull=True),
                name="represents_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} – {self.customer}"
