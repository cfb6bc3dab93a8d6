"""The dummy's declaration: every part of the contract once."""

from __future__ import annotations

from dataclasses import dataclass

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
class DummySettings:
    greeting: str = "hello"
    most_things: int = 10

    def __post_init__(self) -> None:
        if self.most_things < 1:
            raise ImproperlyConfigured("most_things must be at least 1")


class Dummy(PortalModule):
    name = "dummy"
    verbose_name = _("Dummy")
    icon = "flask"
    version = "0.1.0"
    portal_versions = ">=0.1,<0.2"
    settings_schema = DummySettings
    privileges = (
        Privilege("dummy.see_things", _("See things")),
        Privilege("dummy.change_things", _("Change things")),
    )
    roles = (
        Role("watcher", _("Watcher"), ("dummy.see_things",), single=True),
        Role(
            "keeper",
            _("Keeper"),
            ("dummy.see_things", "dummy.change_things"),
            single=True,
            significant=True,
        ),
    )
    urls = "dummy.urls"
    navigation = (NavigationItem(_("Things"), "dummy:list", "flask", ("dummy.see_things",)),)
    home_panels = (
        HomePanel("dummy-things", _("Things"), "dummy.views.panel", ("dummy.see_things",)),
    )
    task_source = "dummy.tasks.open_tasks"
    search_source = "dummy.views.search"
    live_topics = (LiveTopic(r"dummy/(?P<pk>\d+)", "dummy.views.may_listen"),)
    periodic_tasks = (PeriodicTask("dummy: count", "dummy.tasks.count_things", 60),)
    inbox_handlers = (
        InboxHandler("dummy", ("note",), "dummy.tasks.check_note", "dummy.tasks.take_note"),
    )
    health_checks = (HealthCheck("dummy", "dummy.tasks.check"),)
    signables = (Signable("dummy.thing", _("A thing"), "dummy.tasks.signed_facts"),)
    clinical_settings = "dummy.tasks.clinical_settings"
    demo_people = "dummy.demo.people"
    demo_data = "dummy.demo.load"
