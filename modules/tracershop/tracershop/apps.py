"""Tracershop's declaration to the portal, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from portal.registry import (
    HealthCheck,
    HomePanel,
    InboxHandler,
    LiveTopic,
    NavigationItem,
    PeriodicTask,
    PortalModule,
    Privilege,
    Role,
    Signable,
)


@dataclass(frozen=True)
class TracershopSettings:
    """``[tracershop]`` of the module settings file."""

    dispenser_folder: str
    """The watched folder into which the dispenser writes its files."""
    booking_keep_days: int = 7
    consignor_name: str = ""
    """Who sends, on transport documents (ADR 5.4.1.1.1 (g)); none are issued without."""
    consignor_address: str = ""
    """Street, postal code and town; may have several lines."""
    emergency_phone: str = ""
    """Answered at all hours that something is under way; printed on transport documents."""

    def __post_init__(self) -> None:
        if not Path(self.dispenser_folder).is_absolute():
            raise ImproperlyConfigured(
                f"dispenser_folder must be an absolute path, not {self.dispenser_folder!r}"
            )
        if not 1 <= self.booking_keep_days <= 31:
            raise ImproperlyConfigured("booking_keep_days must be between 1 and 31")
        if bool(self.consignor_name.strip()) != bool(self.consignor_address.strip()):
            raise ImproperlyConfigured("consignor_name and consignor_address go together")


_SHOP = ("tracershop.see_own_orders", "tracershop.place_order")
_INTERNAL = (*_SHOP, "tracershop.order_from_bookings")
_PRODUCTION = (
    "tracershop.see_all_orders",
    "tracershop.order_for_customers",
    "tracershop.accept_order",
    "tracershop.release_order",
    "tracershop.manage_vials",
    "tracershop.recall_batch",
    "inbox.read_messages",
    "inbox.replay_messages",
)
_ADMIN = (
    *_PRODUCTION,
    *_SHOP,  # nobody gives others what they do not hold: external people of shops are theirs
    "tracershop.certify_releaser",
    "tracershop.grant_representation",
    "tracershop.manage_setup",
    "accounts.manage_external",
    "access.grant_role",
)


class Tracershop(PortalModule):
    name = "tracershop"
    label = "tracershop"
    verbose_name = _("Tracershop")
    icon = "atom"
    version = "0.1.0"
    portal_versions = ">=0.1,<0.2"
    settings_schema = TracershopSettings
    privileges = (
        Privilege("tracershop.see_own_orders", _("See orders of represented customers")),
        Privilege("tracershop.place_order", _("Order for represented customers")),
        Privilege("tracershop.order_from_bookings", _("Order from bookings")),
        Privilege("tracershop.manage_mappings", _("Map rooms and procedures")),
        Privilege("tracershop.grant_representation", _("Let others represent customers")),
        # vials belong to no unit: what reaches them reaches all of production
        Privilege("tracershop.see_all_orders", _("See all orders"), house_wide=True),
        Privilege("tracershop.order_for_customers", _("Order on a customer's behalf, also late")),
        Privilege("tracershop.accept_order", _("Accept and reject orders")),
        Privilege("tracershop.release_order", _("Release orders"), house_wide=True),
        Privilege("tracershop.manage_vials", _("Settle vials and batches"), house_wide=True),
        Privilege("tracershop.certify_releaser", _("Certify releasers"), house_wide=True),
        Privilege("tracershop.recall_batch", _("Recall batches"), house_wide=True),
        Privilege(
            "tracershop.manage_setup", _("Set up customers, tracers and slots"), house_wide=True
        ),
    )
    # weakest first: of several that the directory gives, the last is kept
    roles = (
        Role("shop_external", _("Shop, external"), _SHOP, single=True),
        Role("shop_internal", _("Shop, internal"), _INTERNAL, single=True),
        Role(
            "shop_superuser",
            _("Shop superuser"),
            (*_INTERNAL, "tracershop.manage_mappings", "tracershop.grant_representation"),
            single=True,
            significant=True,
        ),
        Role("production_user", _("Production user"), _PRODUCTION, single=True),
        Role("production_admin", _("Production admin"), _ADMIN, single=True, significant=True),
        Role(
            "site_admin",
            _("Site admin"),
            (*_ADMIN, "tracershop.manage_mappings", "operations.see_status"),
            single=True,
            significant=True,
        ),
    )
    urls = "tracershop.urls"
    navigation = (
        NavigationItem(
            _("Day board"), "tracershop:board", "activity", ("tracershop.see_all_orders",)
        ),
        NavigationItem(_("Orders"), "tracershop:shop", "calendar", ("tracershop.see_own_orders",)),
        NavigationItem(
            _("Standing orders"),
            "tracershop:standing",
            "refresh",
            ("tracershop.see_own_orders",),
        ),
        NavigationItem(
            _("Bookings"), "tracershop:bookings", "clock", ("tracershop.order_from_bookings",)
        ),
        NavigationItem(
            _("Changed bookings"),
            "tracershop:booking_changes",
            "refresh",
            ("tracershop.order_from_bookings", "tracershop.see_all_orders"),
        ),
        NavigationItem(
            _("Mappings"), "tracershop:mappings", "link", ("tracershop.manage_mappings",)
        ),
        NavigationItem(_("Vials"), "tracershop:vials", "vial", ("tracershop.see_all_orders",)),
        NavigationItem(_("Batches"), "tracershop:batches", "flask", ("tracershop.see_all_orders",)),
        NavigationItem(
            _("Statistics"),
            "tracershop:statistics",
            "chart",
            ("tracershop.see_own_orders", "tracershop.see_all_orders"),
        ),
        NavigationItem(
            _("Shipments"),
            "tracershop:shipments",
            "truck",
            ("tracershop.see_all_orders", "tracershop.see_own_orders"),
        ),
        NavigationItem(
            _("Representatives"),
            "tracershop:representatives",
            "users",
            ("tracershop.grant_representation",),
        ),
        NavigationItem(
            _("Certifications"),
            "tracershop:certifications",
            "shield",
            ("tracershop.certify_releaser",),
        ),
        NavigationItem(_("Set-up"), "tracershop:setup", "gear", ("tracershop.manage_setup",)),
    )
    home_panels = (
        HomePanel(
            "tracershop-deliveries",
            _("Today's deliveries"),
            "tracershop.views.panels.deliveries_today",
            ("tracershop.see_own_orders", "tracershop.see_all_orders"),
        ),
    )
    task_source = "tracershop.selectors.tasks.open_tasks"
    live_topics = (
        LiveTopic(
            r"tracershop/day/(?P<day>\d{4}-\d\d-\d\d)", "tracershop.selectors.topics.may_see_board"
        ),
        LiveTopic(
            r"tracershop/customer/(?P<pk>\d+)", "tracershop.selectors.topics.may_see_customer"
        ),
        LiveTopic(r"tracershop/vials", "tracershop.selectors.topics.may_see_board"),
        LiveTopic(r"tracershop/batches", "tracershop.selectors.topics.may_see_board"),
        LiveTopic(r"tracershop/bookings", "tracershop.selectors.topics.may_see_bookings"),
        LiveTopic(
            r"tracershop/setup/(?P<model>[a-z]+)", "tracershop.selectors.topics.may_see_setup"
        ),
        LiveTopic(
            r"tracershop/certifications", "tracershop.selectors.topics.may_see_certifications"
        ),
    )
    periodic_tasks = (
        PeriodicTask("dispenser: read folder", "tracershop.tasks.read_dispenser_folder", 1),
        PeriodicTask(
            "certificates: issue missing", "tracershop.tasks.issue_missing_certificates", 60
        ),
        # once an hour: most find nothing to do, and a day begins with its orders placed
        PeriodicTask("standing orders: place", "tracershop.tasks.place_standing_orders", 3600),
        PeriodicTask("bookings: order automatically", "tracershop.tasks.order_automatically", 300),
        PeriodicTask(
            "shipments: issue missing papers", "tracershop.tasks.issue_missing_papers", 60
        ),
        PeriodicTask("recalls: remind customers", "tracershop.tasks.remind_of_recalls", 300),
        PeriodicTask("bookings: purge", "tracershop.tasks.purge_bookings", 3600),
        PeriodicTask(
            "certifications: announce expiry", "tracershop.tasks.announce_certifications", 24 * 3600
        ),
    )
    inbox_handlers = (
        InboxHandler(
            channel="hl7",
            kinds=("ORM^O01", "SIU^S12", "SIU^S13", "SIU^S14", "SIU^S15"),
            check="tracershop.services.bookings.check_order_message",
            process="tracershop.services.bookings.take_order_message",
        ),
        InboxHandler(
            channel="dispenser",
            kinds=(),
            check="tracershop.services.dispenser.check_file",
            process="tracershop.services.dispenser.take_file",
        ),
    )
    health_checks = (HealthCheck("dispenser folder", "tracershop.services.dispenser.check_folder"),)
    signables = (
        Signable(
            "tracershop.release",
            _("Release of an order"),
            "tracershop.services.release.signed_facts",
        ),
        Signable(
            "tracershop.correction",
            _("Correction of a release"),
            "tracershop.services.corrections.signed_facts",
        ),
        Signable(
            "tracershop.verdict",
            _("Verdict on a batch"),
            "tracershop.services.verdicts.signed_facts",
        ),
        Signable(
            "tracershop.recall",
            _("Recall of a batch"),
            "tracershop.services.recalls.signed_facts",
        ),
    )
    clinical_settings = "tracershop.selectors.clinical_settings.clinical_settings"
    demo_data = "tracershop.demo.load"
    demo_people = "tracershop.demo.people"
