"""The module contract: what a module may declare, and which modules are installed.

A module is a distribution with an entry point in the group ``hospital_portal.modules`` that names
a subclass of :class:`PortalModule`. The portal's own apps declare themselves with the same class,
so there is one way to add a privilege, a navigation item or an inbox handler.

A module that cannot be used (its declaration does not import, its settings are wrong, its models
fail, it wants another portal version) is *quarantined*: it is left out, the reason is kept for
the operations page, and everything else starts and migrates.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from packaging.specifiers import SpecifierSet

from portal import __version__

logger = logging.getLogger(__name__)

ENTRY_POINT_GROUP = "hospital_portal.modules"
_CODE = re.compile(r"^[a-z_]+\.[a-z_]+$")


class DeclarationError(Exception):
    """A module's declaration is wrong; the text says which part and why."""


@dataclass(frozen=True)
class Privilege:
    """The right to use one function, e.g. ``tracershop.release_order``."""

    code: str
    label: Any
    description: Any = ""
    house_wide: bool = False
    """It reaches what belongs to no unit: its roles are granted at the top of the tree alone."""

    def __post_init__(self) -> None:
        if not _CODE.match(self.code):
            raise DeclarationError(
                f"privilege code {self.code!r} is not of the form 'app.verb_noun'"
            )


@dataclass(frozen=True)
class Role:
    """A predefined role: a container of privileges."""

    code: str
    label: Any
    privileges: tuple[str, ...]
    single: bool = False
    """A person holds at most one of the module's *single* roles (TS-100)."""
    significant: bool = False
    """Every automatic grant or loss is a significant act (TS-121)."""
    approval: bool = False
    """Given by an approved request alone, or by who administers access at the unit (PT-003)."""


@dataclass(frozen=True)
class NavigationItem:
    """An entry of the left rail, shown to those who hold any of ``privileges`` somewhere."""

    label: Any
    url_name: str
    icon: str
    privileges: tuple[str, ...] = ()


@dataclass(frozen=True)
class HomePanel:
    """A panel of the home page. ``render`` is a dotted ``(request) -> str | None``."""

    code: str
    title: Any
    render: str
    privileges: tuple[str, ...] = ()


@dataclass(frozen=True)
class LiveTopic:
    """Topics matching ``pattern``; ``authorise`` is a dotted ``(user, **groups) -> bool``."""

    pattern: str
    authorise: str


@dataclass(frozen=True)
class PeriodicTask:
    name: str
    task: str
    every_s: float


@dataclass(frozen=True)
class InboxHandler:
    """Takes inbound messages of ``channel`` whose kind is in ``kinds`` (``()`` for all).

    ``check`` is a dotted ``(raw: bytes) -> bytes``: called before the message is acknowledged; it
    raises ValueError for what cannot be understood, and returns what is to be kept (stripped of
    what must not be). ``process`` is a dotted ``(message) -> str`` run by the worker; it raises
    ValueError to send the message to quarantine, and returns one line about what was done.
    """

    channel: str
    kinds: tuple[str, ...]
    check: str
    process: str


@dataclass(frozen=True)
class HealthCheck:
    """``check`` is a dotted ``(*arguments) -> None`` that raises with a readable reason.

    ``minor``: without it everything else works; its lamp is yellow then, not red.
    """

    name: str
    check: str
    arguments: tuple[str, ...] = ()
    minor: bool = False


@dataclass(frozen=True)
class Signable:
    """What can be signed: ``payload`` is a dotted ``(object) -> dict`` of what the signer saw."""

    code: str
    label: Any
    payload: str


@dataclass(frozen=True)
class DesignArea:
    """What a module makes of forms and flows that are designed in the portal's editors.

    Everything dotted is called with the design (`portal.forms.models.Design`) that is looked at:
    what there is may differ from one to the next.
    """

    code: str
    label: Any
    form_names: str = ""
    """Dotted ``(design) -> Mapping[str, Term]``: names that a form's rules may read beyond it."""
    flow_facts: str = ""
    """Dotted ``(design) -> Sequence[Fact]``: what guards may read."""
    flow_roles: str = ""
    """Dotted ``(design) -> Mapping[str, label]``: who may take transitions."""
    flow_actions: str = ""
    """Dotted ``(design) -> Registry``: the actions there are (`portal.flows.rules.publishing`)."""
    conduct: str = ""
    """Dotted `portal.flows.services.cases.Conduct`: how the area's cases are conducted."""
    connectors: tuple[str, ...] = ()
    """Codes of the outside systems that first values come from and answers go to."""


class PortalModule(AppConfig):
    """Declaration of a module (or of one of the portal's own apps). Attributes only."""

    default = False  # this class is no app; its subclasses are
    default_auto_field = "django.db.models.BigAutoField"

    icon: ClassVar[str] = "square"
    version: ClassVar[str] = __version__
    portal_versions: ClassVar[str] = ""
    settings_schema: ClassVar[type | None] = None
    privileges: ClassVar[tuple[Privilege, ...]] = ()
    roles: ClassVar[tuple[Role, ...]] = ()
    urls: ClassVar[str | None] = None
    navigation: ClassVar[tuple[NavigationItem, ...]] = ()
    home_panels: ClassVar[tuple[HomePanel, ...]] = ()
    task_source: ClassVar[str | None] = None
    search_source: ClassVar[str | None] = None
    live_topics: ClassVar[tuple[LiveTopic, ...]] = ()
    periodic_tasks: ClassVar[tuple[PeriodicTask, ...]] = ()
    inbox_handlers: ClassVar[tuple[InboxHandler, ...]] = ()
    health_checks: ClassVar[tuple[HealthCheck, ...]] = ()
    signables: ClassVar[tuple[Signable, ...]] = ()
    design_areas: ClassVar[tuple[DesignArea, ...]] = ()
    clinical_settings: ClassVar[str | None] = None
    """Dotted ``() -> dict``: the configuration that decides clinical behaviour, to be signed
    (OP-005); of what ``portal.signing.canonical`` can write, in a fixed order."""
    demo_people: ClassVar[str | None] = None
    """Dotted ``() -> list[portal.operations.demo.DemoPerson]``: who can log in to the demo."""
    demo_data: ClassVar[str | None] = None
    """Dotted ``(people: dict[str, User], units: dict[str, Unit]) -> None``, keyed by
    ``DemoPerson.sub`` and by unit code; everybody's account and the units exist already. Called at
    every start of the demo: what is there already is left as it is. First of all it says what its
    directory groups mean (:func:`portal.operations.demo.map_groups`), then it uses services with
    those people as actors, or with a ``ServiceActor``."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.default = True

    @property
    def is_portal(self) -> bool:
        return self.name.startswith("portal.")

    def import_models(self) -> None:
        """As Django's, but a module whose models fail is quarantined instead of stopping all."""
        try:
            super().import_models()
        except Exception as error:
            if self.is_portal:
                raise
            registry.quarantine(self.label, f"its models do not load: {error!r}")
            apps.all_models[self.label].clear()
            self.models = apps.all_models[self.label]
            # its tables stay as they are: what cannot be loaded is not migrated either
            settings.MIGRATION_MODULES = {**settings.MIGRATION_MODULES, self.label: None}

    def ready(self) -> None:
        if self.label in registry.quarantined:
            return
        try:
            registry.register(self)
        except Exception as error:
            if self.is_portal:
                raise
            registry.quarantine(self.label, str(error))


_DOTTED = (
    "urls", "task_source", "search_source", "clinical_settings", "demo_people", "demo_data"
)  # fmt: skip
_KINDS: dict[str, type] = {
    "privileges": Privilege,
    "roles": Role,
    "navigation": NavigationItem,
    "home_panels": HomePanel,
    "live_topics": LiveTopic,
    "periodic_tasks": PeriodicTask,
    "inbox_handlers": InboxHandler,
    "health_checks": HealthCheck,
    "signables": Signable,
    "design_areas": DesignArea,
}


class Registry:
    """Every declaration of this process; filled while Django starts, closed afterwards."""

    def __init__(self) -> None:
        self._modules: dict[str, PortalModule] = {}
        self._settings: dict[str, Any] = {}
        self.quarantined: dict[str, str] = {}

    # filling ------------------------------------------------------------------------------

    def quarantine(self, label: str, reason: str) -> None:
        logger.error("module %s is quarantined: %s", label, reason)
        self._modules.pop(label, None)
        self.quarantined[label] = reason

    def register(self, module: PortalModule) -> None:
        """Type-check a declaration and take it in.

        Raises DeclarationError naming the part that is wrong.
        """
        if apps.ready:
            raise DeclarationError("the registry is closed once Django has started")
        self._check_types(module)
        self._check_codes(module)
        self._modules[module.label] = module

    def _check_types(self, module: PortalModule) -> None:
        for attribute, kind in _KINDS.items():
            declared = getattr(module, attribute)
            if not isinstance(declared, tuple):
                raise DeclarationError(
                    f"{attribute}: {declared!r} is a {type(declared).__name__}, not a tuple"
                )
            for item in declared:
                if not isinstance(item, kind):
                    raise DeclarationError(
                        f"{attribute}: {item!r} is a {type(item).__name__}, not a {kind.__name__}"
                    )
        for attribute in _DOTTED:
            dotted = getattr(module, attribute)
            if dotted is not None and not isinstance(dotted, str):
                raise DeclarationError(f"{attribute}: {dotted!r} is not a dotted name")

    def _check_codes(self, module: PortalModule) -> None:
        own = {privilege.code for privilege in module.privileges}
        for code in own:
            if code.split(".")[0] != module.label:
                raise DeclarationError(f"privilege {code!r} does not begin with {module.label!r}")
        known = own | {privilege.code for privilege in self.privileges()}
        for role in module.roles:
            for code in role.privileges:
                if code not in known:
                    raise DeclarationError(f"role {role.code!r} names unknown privilege {code!r}")
        for topic in module.live_topics:
            try:
                re.compile(topic.pattern)
            except re.error as error:
                raise DeclarationError(
                    f"live_topics: {topic.pattern!r} is no regular expression: {error}"
                ) from error

    def set_settings(self, label: str, settings: Any) -> None:
        self._settings[label] = settings

    # reading ------------------------------------------------------------------------------

    def modules(self) -> list[PortalModule]:
        """The portal's apps first, then modules by name."""
        return sorted(self._modules.values(), key=lambda m: (not m.is_portal, m.name))

    def installed_modules(self) -> list[PortalModule]:
        return [module for module in self.modules() if not module.is_portal]

    def settings_for(self, label: str) -> Any:
        """The validated settings of a module (an instance of its ``settings_schema``)."""
        return self._settings[label]

    def _all(self, attribute: str) -> Iterator[Any]:
        for module in self.modules():
            yield from getattr(module, attribute)

    def privileges(self) -> list[Privilege]:
        return list(self._all("privileges"))

    def roles(self) -> list[tuple[str, Role]]:
        """Pairs of module label and predefined role."""
        return [(module.label, role) for module in self.modules() for role in module.roles]

    def home_panels(self) -> list[HomePanel]:
        return list(self._all("home_panels"))

    def live_topics(self) -> list[LiveTopic]:
        return list(self._all("live_topics"))

    def periodic_tasks(self) -> list[PeriodicTask]:
        return list(self._all("periodic_tasks"))

    def inbox_handlers(self, channel: str) -> list[InboxHandler]:
        return [handler for handler in self._all("inbox_handlers") if handler.channel == channel]

    def health_checks(self) -> list[HealthCheck]:
        return list(self._all("health_checks"))

    def signable(self, code: str) -> Signable | None:
        return next((item for item in self._all("signables") if item.code == code), None)

    def design_areas(self) -> list[DesignArea]:
        return list(self._all("design_areas"))

    def design_area(self, code: str) -> DesignArea | None:
        return next((area for area in self._all("design_areas") if area.code == code), None)

    def task_sources(self) -> list[tuple[PortalModule, Callable[..., Iterable[Any]]]]:
        """Each module with what tells its tasks; a source is imported when it is called."""
        return [
            (module, _later(module.task_source)) for module in self.modules() if module.task_source
        ]


def _later(dotted: str) -> Callable[..., Any]:
    """What is imported at the call: a name that does not exist is its own module's failure."""

    def source(*args: Any) -> Any:
        return import_string(dotted)(*args)

    return source


registry = Registry()


@dataclass(frozen=True)
class Discovery:
    """What was found at start: dotted AppConfig paths to install."""

    app_configs: tuple[str, ...]


def discover(
    module_settings: Mapping[str, Mapping[str, Any]],
    points: Iterable[EntryPoint] | None = None,
) -> Discovery:
    """Find modules by entry point; quarantine those that cannot be used. Called by settings."""
    found: list[str] = []
    points = entry_points(group=ENTRY_POINT_GROUP) if points is None else points
    for point in sorted(points, key=lambda p: p.name):
        try:
            config = point.load()
            _check_module(point, config)
            registry.set_settings(
                point.name, _settings(config, module_settings.get(point.name, {}))
            )
        except Exception as error:
            registry.quarantine(point.name, str(error) or repr(error))
        else:
            found.append(f"{config.__module__}.{config.__qualname__}")
    return Discovery(app_configs=tuple(found))


def _check_module(point: EntryPoint, config: Any) -> None:
    if not (isinstance(config, type) and issubclass(config, PortalModule)):
        raise DeclarationError(f"entry point {point.value!r} is not a PortalModule")
    if not getattr(config, "name", None):
        raise DeclarationError("name: the declaration does not say which package it is of")
    label = getattr(config, "label", config.name.rpartition(".")[2])
    if label != point.name:
        raise DeclarationError(f"label: {label!r} is not the entry point's name {point.name!r}")
    if __version__ not in SpecifierSet(config.portal_versions):
        raise DeclarationError(
            f"works with portal {config.portal_versions}, this is portal {__version__}"
        )


def _settings(config: type[PortalModule], values: Mapping[str, Any]) -> Any:
    schema = config.settings_schema
    if schema is None:
        if values:
            raise ImproperlyConfigured(f"settings {sorted(values)} given, but it takes none")
        return None
    if not is_dataclass(schema):
        raise DeclarationError("settings_schema must be a dataclass")
    unknown = set(values) - {field.name for field in fields(schema)}
    if unknown:
        raise ImproperlyConfigured(f"unknown settings {sorted(unknown)}")
    return schema(**values)
