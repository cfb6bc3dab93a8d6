"""The registry: what a declaration may say, and that it is closed once Django has started."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from django.apps import apps
from django.urls import reverse

from portal.registry import (
    DeclarationError,
    HealthCheck,
    LiveTopic,
    PortalModule,
    Privilege,
    Registry,
    Role,
    discover,
    registry,
)


def declared(**parts: Any) -> PortalModule:
    """A module with these parts, past Django's own start."""
    parts = {"name": "portal", "label": "sample", "verbose_name": "Sample", **parts}
    module = type("Sample", (PortalModule,), parts)
    return module("portal", __import__("portal"))


@pytest.fixture
def open_registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry as it is while Django starts."""
    monkeypatch.setattr(apps, "ready", False)
    return Registry()


@pytest.mark.requirement("PT-050")
def test_nothing_is_declared_once_django_has_started() -> None:
    with pytest.raises(DeclarationError, match="closed"):
        registry.register(declared())


@pytest.mark.requirement("PT-050")
@pytest.mark.parametrize(
    ("part", "value", "says"),
    [
        ("privileges", ("sample.see",), "privileges: 'sample.see' is a str, not a Privilege"),
        ("roles", (Privilege("sample.see", "See"),), "is a Privilege, not a Role"),
        ("navigation", ({"label": "x"},), "navigation: .* is a dict, not a NavigationItem"),
        ("home_panels", (1,), "home_panels: 1 is a int, not a HomePanel"),
        ("live_topics", [], "live_topics: .* is a list, not a tuple"),
        ("periodic_tasks", None, "periodic_tasks: None is a NoneType, not a tuple"),
        ("inbox_handlers", (HealthCheck("a", "b"),), "is a HealthCheck, not a InboxHandler"),
        ("health_checks", ("b",), "is a str, not a HealthCheck"),
        ("signables", (object,), "is a type, not a Signable"),
        ("urls", 7, "urls: 7 is not a dotted name"),
        ("task_source", len, "task_source: .* is not a dotted name"),
        ("search_source", (), "search_source: .* is not a dotted name"),
        ("live_topics", (LiveTopic("(", "a.b"),), r"live_topics: '\(' is no regular expression"),
        ("privileges", (Privilege("other.see", "See"),), "does not begin with 'sample'"),
        ("roles", (Role("r", "R", ("other.see",)),), "names unknown privilege 'other.see'"),
    ],
)
def test_a_wrong_part_is_named(open_registry: Registry, part: str, value: Any, says: str) -> None:
    with pytest.raises(DeclarationError, match=says):
        open_registry.register(declared(**{part: value}))
    assert open_registry.modules() == []


@pytest.mark.parametrize("code", ["see", "Sample.see", "sample.see.more", "sample see", "sample."])
def test_a_privilege_has_an_app_and_a_verb(code: str) -> None:
    with pytest.raises(DeclarationError, match="not of the form"):
        Privilege(code, "See")


def test_a_role_may_name_the_privileges_of_parts_declared_before(open_registry: Registry) -> None:
    open_registry.register(declared(privileges=(Privilege("sample.see", "See"),)))
    other = declared(label="other", roles=(Role("r", "R", ("sample.see",)),))
    open_registry.register(other)
    assert [role.code for _module, role in open_registry.roles()] == ["r"]


@dataclass
class Schema:
    size: int = 1

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError("size must be at least 1")


class NoName(PortalModule):
    pass


class OtherLabel(PortalModule):
    name = "somewhere.else_"


class NoDataclass(PortalModule):
    name = "nodataclass"
    settings_schema = dict


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    fresh = Registry()
    monkeypatch.setattr("portal.registry.registry", fresh)
    return fresh


@pytest.mark.requirement("PT-050")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("NoName", "name: the declaration does not say"),
        ("OtherLabel", "label: 'else_' is not the entry point's name"),
        ("Schema", "is not a PortalModule"),
        ("NotThere", "NotThere"),
    ],
)
def test_what_cannot_be_found_is_quarantined_with_its_reason(
    own_registry: Registry, name: str, reason: str
) -> None:
    found = discover({}, [EntryPoint("sample", f"{__name__}:{name}", "hospital_portal.modules")])
    assert found.app_configs == ()
    assert reason in own_registry.quarantined["sample"]


def test_settings_are_taken_by_a_dataclass_only(own_registry: Registry) -> None:
    point = EntryPoint("nodataclass", f"{__name__}:NoDataclass", "hospital_portal.modules")
    assert discover({}, [point]).app_configs == ()
    assert own_registry.quarantined["nodataclass"] == "settings_schema must be a dataclass"


@pytest.mark.requirement("PT-050")
def test_the_portal_s_own_parts_come_first_then_modules_by_name() -> None:
    order = [module.is_portal for module in registry.modules()]
    assert order == sorted(order, reverse=True)
    installed = [module.label for module in registry.installed_modules()]
    assert installed == ["digital_review", "tracershop"]


def _named(dotted: str) -> Any:
    """What a dotted name stands for; the last part may be an attribute of an object."""
    from django.utils.module_loading import import_string

    try:
        return import_string(dotted)
    except ImportError:
        owner, _, attribute = dotted.rpartition(".")
        return getattr(import_string(owner), attribute)


@pytest.mark.requirement("PT-050")
def test_every_declared_address_exists_and_every_declared_name_is_unique() -> None:
    for module in registry.modules():
        for item in module.navigation:
            assert reverse(item.url_name).startswith("/")
    for names in (
        [privilege.code for privilege in registry.privileges()],
        [task.name for task in registry.periodic_tasks()],
        [check.name for check in registry.health_checks()],
        [panel.code for panel in registry.home_panels()],
    ):
        assert len(names) == len(set(names))


@pytest.mark.requirement("PT-050")
def test_everything_that_is_named_by_its_dotted_name_exists() -> None:
    dotted = [check.check for check in registry.health_checks()]
    dotted += [task.task for task in registry.periodic_tasks()]
    dotted += [panel.render for panel in registry.home_panels()]
    dotted += [topic.authorise for topic in registry.live_topics()]
    for module in registry.modules():
        dotted += [handler.check for handler in module.inbox_handlers]
        dotted += [handler.process for handler in module.inbox_handlers]
        dotted += [signable.payload for signable in module.signables]
        for area in module.design_areas:
            dotted += filter(None, (area.form_names, area.flow_facts, area.flow_roles))
            dotted += filter(None, (area.flow_actions, f"{area.conduct}.perform"))
        dotted += [
            name
            for name in (
                module.task_source, module.search_source, module.clinical_settings,
                module.demo_people, module.demo_data,
            )
            if name
        ]  # fmt: skip
    missing = []
    for name in dotted:
        try:
            assert callable(_named(name))
        except ImportError as error:
            missing.append(str(error))
    assert missing == []
