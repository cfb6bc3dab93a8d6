"""The module contract: any module, none, or a broken one – the portal starts (PT-050).

Each start is a process of its own on a database of its own, a copy of the migrated template.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from portal.demo import embedded
from tests.support.services import ROOT, Services, drop_database, maintenance

DUMMY = ROOT / "tests" / "dummy"
INSTALLED = {"dummy": "dummy.apps:Dummy"}
SHOP = {"tracershop": "tracershop.apps:Tracershop"}

Start = Callable[..., dict[str, Any]]


@contextmanager
def database(services: Services, *, migrated: bool) -> Generator[str, None, None]:
    """The URL of a fresh database: a copy of the template, or an empty one."""
    name = f"test_contract_{services.worker}_{'full' if migrated else 'empty'}"
    drop_database(services.server_url, name)
    template = services.template_url.partition("?")[0].rpartition("/")[2]
    with maintenance(services.server_url) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template if migrated else "template0")
            )
        )
    try:
        yield embedded.with_database(services.server_url, name)
    finally:
        drop_database(services.server_url, name)


def starter(url: str, folder: Path) -> Start:
    def start(
        modules: dict[str, str] | None, *acts: str, settings: str = "", path: Path = DUMMY
    ) -> dict[str, Any]:
        """Start the portal in a process, do ``acts``, and give back what it tells."""
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            "DJANGO_SETTINGS_MODULE": "portal.config.settings.test",
            "PYTHONPATH": os.pathsep.join([str(path), str(DUMMY), str(ROOT)]),
        }
        if settings:
            (folder / "modules.toml").write_text(settings)
            environment["PORTAL_MODULE_SETTINGS"] = str(folder / "modules.toml")
        done = subprocess.run(
            [sys.executable, str(DUMMY / "start_portal.py"),
             json.dumps({"modules": modules, "acts": acts})],
            env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])

    return start


@pytest.fixture(scope="module")
def start(
    services: Services, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Start, None, None]:
    """Starts of this file, one after the other on one copy of the migrated database."""
    with database(services, migrated=True) as url:
        yield starter(url, tmp_path_factory.mktemp("contract"))


def test_without_any_module_the_portal_starts_and_its_pages_open(start: Start) -> None:
    told = start({}, "check", "pages")
    assert told["modules"] == []
    assert told["quarantined"] == {}
    assert [told["pages"][path][0] for path in ("/", "/operations/", "/dummy/")] == [200, 200, 404]
    assert "Nothing waits for you" in told["pages"]["/notifications/tasks/"][1]


@pytest.mark.requirement("PT-050", "OP-001")
def test_an_empty_database_is_migrated_without_any_module(
    services: Services, django_db_setup: None, tmp_path: Path
) -> None:
    with database(services, migrated=False) as url:
        told = starter(url, tmp_path)({}, "migrate", "pages")
    assert "content.0002_home_page" in told["migrate"]
    assert "tracershop" not in told["migrate"]
    assert told["pages"]["/"][0] == 200


@pytest.mark.requirement("PT-050")
def test_a_module_is_found_by_the_entry_point_of_its_distribution(
    start: Start, tmp_path: Path
) -> None:
    """As pip leaves it: a ``.dist-info`` folder; nothing of the portal is changed."""
    info = tmp_path / "hospital_portal_dummy-0.1.0.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: hospital-portal-dummy\n")
    info.joinpath("entry_points.txt").write_text(
        "[hospital_portal.modules]\ndummy = dummy.apps:Dummy\n"
    )
    told = start(None, "migrate", "check", path=tmp_path)
    assert told["modules"] == ["digital_review", "dummy", "tracershop"]
    assert told["quarantined"] == {}
    assert "dummy.0001_initial" in told["migrate"]
    assert "no issues" in told["check"]


@pytest.mark.requirement("PT-050")
def test_every_part_of_a_declaration_is_in_use(start: Start) -> None:
    told = start(INSTALLED, "migrate", "every_part", settings='[dummy]\ngreeting = "goddag"\n')
    part = told["every_part"]
    assert part["settings"] == "goddag"
    assert part["privileges"] == ["dummy.see_things", "dummy.change_things"]
    assert part["roles"] == [["dummy.keeper"], ["dummy.watcher"]]
    assert (part["keeper"], part["watcher"]) == (["dummy.keeper"], ["dummy.watcher"])
    assert part["watcher_password"]
    assert part["tasks"] == [["Dummy", 1]]
    assert part["panel"] == "<p>goddag</p>"
    assert part["search"] == [["A first thing", "/dummy/"]]
    assert part["topics"] == [True, False, False]
    assert part["periodic"] == ["dummy: count"]
    assert part["scheduled"]
    assert part["inbox"] == "note"
    assert part["health"] == [True]
    assert part["signable"] == {"name": "A first thing"}
    assert part["clinical"] == [{"most_things": 10}]
    assert part["demo_people"] == ["Vibeke Skovmose", "Preben Mosegaard"]
    assert part["things"][0] == 1
    assert part["again"] == part["things"]
    assert part["faults"] == []


@pytest.mark.requirement("PT-050")
def test_a_module_s_pages_navigation_panel_and_tasks_are_shown(start: Start) -> None:
    told = start(INSTALLED, "migrate", "pages")
    pages = told["pages"]
    assert {answer[0] for answer in pages.values()} == {200}
    assert 'href="/dummy/"' in pages["/"][1]
    assert "<p>hello</p>" in pages["/"][1]
    assert "A first thing" not in pages["/dummy/"][1]  # of another hospital than the starter's


@pytest.mark.requirement("PT-050")
def test_history_and_audit_render_when_the_module_is_gone_or_quarantined(start: Start) -> None:
    start(INSTALLED, "migrate", "keep", "pages")
    there = start(INSTALLED, "history")["history"]
    assert [status for status, _page in there] == [200, 200, 200]
    assert "History of thing Kept thing" in there[0][1]
    gone = start({}, "migrate", "history")["history"]
    assert [status for status, _page in gone] == [200, 200, 200]
    assert "Module dummy is not in use" in gone[0][1]
    for _status, page in gone:
        assert "Kept thing" in page
        assert "to test" in page
    quarantined = start(INSTALLED, "history", settings="[dummy]\nmost_things = 0\n")
    assert quarantined["modules"] == []
    assert "most_things must be at least 1" in quarantined["history"][0][1]


# --- broken ones -----------------------------------------------------------------------------

DECLARATION = """
from portal.registry import *
class Module(PortalModule):
    name = "{name}"
    verbose_name = "{name}"
    {body}
"""
BROKEN: dict[str, tuple[dict[str, str], str]] = {
    "broken_import": (
        {"apps.py": "raise RuntimeError('no library of mine')"},
        "no library of mine",
    ),
    "broken_library": ({"apps.py": "import a_library_not_there"}, "a_library_not_there"),
    "broken_setting": (
        {
            "apps.py": "from dataclasses import dataclass\n"
            "@dataclass\nclass Schema:\n    size: int = 1\n"
            "    def __post_init__(self):\n"
            "        if self.size < 1: raise ValueError('size must be at least 1')\n"
            + DECLARATION.format(name="broken_setting", body="settings_schema = Schema")
        },
        "size must be at least 1",
    ),
    "broken_unknown_setting": (
        {"apps.py": DECLARATION.format(name="broken_unknown_setting", body="")},
        "settings ['colour'] given, but it takes none",
    ),
    "broken_models": (
        {
            "apps.py": DECLARATION.format(name="broken_models", body=""),
            "models.py": "from portal.records.models import Record\n"
            "class Half(Record): pass\nraise RuntimeError('half a model')",
            "migrations/__init__.py": "",
            "migrations/0001_initial.py": "raise RuntimeError('never loaded')",
        },
        "its models do not load: RuntimeError('half a model')",
    ),
    "broken_version": (
        {"apps.py": DECLARATION.format(name="broken_version", body='portal_versions = ">=9"')},
        "works with portal >=9",
    ),
    "broken_type": (
        {"apps.py": DECLARATION.format(name="broken_type", body='privileges = ("broken.see",)')},
        "privileges: 'broken.see' is a str, not a Privilege",
    ),
    "broken_list": (
        {"apps.py": DECLARATION.format(name="broken_list", body="navigation = []")},
        "navigation: [] is a list, not a tuple",
    ),
    "broken_role": (
        {
            "apps.py": DECLARATION.format(
                name="broken_role", body='roles = (Role("a", "A", ("nowhere.to_be",)),)'
            )
        },
        "role 'a' names unknown privilege 'nowhere.to_be'",
    ),
    "broken_name": (
        {"apps.py": DECLARATION.format(name="other_name", body="")},
        "'other_name' is not the entry point's name 'broken_name'",
    ),
    "broken_class": ({"apps.py": "Module = 'a text'"}, "is not a PortalModule"),
    "broken_urls": (
        {
            "apps.py": DECLARATION.format(name="broken_urls", body='urls = "broken_urls.urls"'),
            "urls.py": "raise RuntimeError('no pages')",
        },
        "its pages do not load: RuntimeError('no pages')",
    ),
    "broken_tasks": (
        {
            "apps.py": DECLARATION.format(name="broken_tasks", body=""),
            "tasks.py": "raise RuntimeError('no tasks')",
        },
        "its tasks do not load: RuntimeError('no tasks')",
    ),
}
# loads, but what it names does not: the parts around it say so, and nothing else stops
NAMES_NOTHING = DECLARATION.format(
    name="names_nothing",
    body="""task_source = "names_nothing.nowhere.tasks"
    home_panels = (HomePanel("nothing", "A panel of nothing", "names_nothing.nowhere.panel"),)
    navigation = (NavigationItem("Nothing", "names_nothing:nowhere", "square"),)
    health_checks = (HealthCheck("nothing", "names_nothing.nowhere.check"),)
    live_topics = (LiveTopic(r"nothing", "names_nothing.nowhere.authorise"),)""",
)
SETTINGS = """
[broken_setting]
size = 0
[broken_unknown_setting]
colour = "red"
"""


@pytest.fixture(scope="module")
def among_broken_ones(start: Start, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One start with the dummy, Tracershop and every broken module; it migrates and opens pages."""
    folder = tmp_path_factory.mktemp("broken")
    files = {name: content for name, (content, _reason) in BROKEN.items()}
    for name, content in {**files, "names_nothing": {"apps.py": NAMES_NOTHING}}.items():
        for path, text in {"__init__.py": "", **content}.items():
            folder.joinpath(name, path).parent.mkdir(parents=True, exist_ok=True)
            folder.joinpath(name, path).write_text(text)
    modules = {name: f"{name}.apps:Module" for name in (*BROKEN, "names_nothing")}
    return start(
        {**modules, **INSTALLED, **SHOP},
        "worker_tasks", "migrate", "check", "pages", settings=SETTINGS, path=folder,
    )  # fmt: skip


@pytest.mark.requirement("PT-050")
def test_a_broken_module_is_quarantined_and_the_operations_page_says_why(
    among_broken_ones: dict[str, Any],
) -> None:
    status, page = among_broken_ones["pages"]["/operations/"]
    assert status == 200
    for name, (_files, reason) in BROKEN.items():
        assert reason in among_broken_ones["quarantined"][name]
        assert f"Module {name} is quarantined" in page
        assert reason in unescape(page)


@pytest.mark.requirement("PT-050")
def test_everything_else_runs_among_broken_modules(among_broken_ones: dict[str, Any]) -> None:
    assert among_broken_ones["modules"] == ["dummy", "names_nothing", "tracershop"]
    assert sorted(among_broken_ones["quarantined"]) == sorted(BROKEN)
    assert "no issues" in among_broken_ones["check"]
    assert "dummy.tasks.count_things" in among_broken_ones["worker_tasks"]
    assert {answer[0] for answer in among_broken_ones["pages"].values()} == {200}


@pytest.mark.requirement("PT-050")
def test_what_a_module_names_and_does_not_have_is_told_where_it_should_be(
    among_broken_ones: dict[str, Any],
) -> None:
    pages = among_broken_ones["pages"]
    assert "This cannot be shown just now" in pages["/"][1]
    assert "A panel of nothing" in pages["/"][1]
    assert "Its tasks cannot be told just now" in pages["/notifications/tasks/"][1]
    assert "<strong>Nothing</strong>: No module named" in pages["/operations/"][1]
    assert ">Nothing<" not in pages["/"][1]
