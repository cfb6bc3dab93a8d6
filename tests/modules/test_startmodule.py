"""A module made by `startmodule`: installed, checked, used, taken away (PT-050, PT-051)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from django.core.management import CommandError, call_command
from psycopg import sql

from portal.config import catalogues
from portal.config.catalogues import Domain, catalog_of
from portal.demo import embedded
from portal.operations import skeleton
from portal.operations.skeleton import SKELETON, SkeletonError, check_name, write_module
from tests.support.services import ROOT, Services, drop_database, maintenance

NAME, CLASS = "wound_care", "WoundCare"


# --- names -----------------------------------------------------------------------------------


@pytest.mark.requirement("PT-051")
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Wounds", "small letters"),
        ("wound-care", "small letters"),
        ("wound2", "small letters"),
        ("_wounds", "small letters"),
        ("wound__care", "small letters"),
        ("", "small letters"),
        ("../wounds", "small letters"),
        ("a" * 31, "at most 30"),
        ("class", "word of Python"),
        ("match", "word of Python"),
        ("calendar", "Python's own library"),
        ("tracershop", "installed already"),
        ("sessions", "installed already"),
        ("audit", "installed already"),
        ("django", "package that is here"),
        ("celery", "package that is here"),
        ("tests", "package that is here"),
        ("cms", "address /cms/"),
        ("metrics", "address /metrics/"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(SkeletonError, match=why):
        check_name(name)


@pytest.mark.requirement("PT-051")
def test_what_is_there_is_never_overwritten_and_what_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "mine").write_text("kept")
    with pytest.raises(CommandError, match="is there already"):
        call_command("startmodule", NAME, into=tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == [NAME, "mine"]
    with pytest.raises(CommandError, match="is no folder"):
        call_command("startmodule", "other", into=tmp_path / "nowhere")

    def fail(*_: Any) -> None:
        raise SkeletonError("no migration")

    monkeypatch.setattr(skeleton, "_make_first_migration", fail)
    with pytest.raises(CommandError, match="no migration"):
        call_command("startmodule", "other", into=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME]


def test_a_module_is_held_to_the_portal_s_own_rules() -> None:
    portal = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    written = skeleton._filled(SKELETON / "pyproject.toml.tmpl", check_name("wounds"))
    module = tomllib.loads(written)["tool"]
    for part in ("select", "ignore", "mccabe"):
        assert module["ruff"]["lint"][part] == portal["ruff"]["lint"][part]
    for part in ("profile", "max_line_length", "ignore"):
        assert module["djlint"][part] == portal["djlint"][part]
    for part in ("check_untyped_defs", "disallow_untyped_defs", "warn_unreachable"):
        assert module["mypy"][part] == portal["mypy"][part]


# --- the whole life of a module ----------------------------------------------------------------


@dataclass
class Scratch:
    """A virtual environment that sees everything the project's own has, and adds to it."""

    folder: Path
    environment: dict[str, str]

    def run(self, *command: str, cwd: Path | None = None, **environment: str) -> str:
        """What a program of this environment's Python says; fails where it does."""
        done = subprocess.run(
            [str(self.folder / "bin" / "python"), *command],
            env={**self.environment, **environment}, cwd=cwd or ROOT,
            capture_output=True, text=True, timeout=580, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout[-6000:]}{done.stderr[-3000:]}"
        return done.stdout

    def told(self, *command: str) -> dict[str, Any]:
        return json.loads(self.run(*command).splitlines()[-1])


@pytest.fixture(scope="module")
def database_url(services: Services, django_db_setup: None) -> Generator[str, None, None]:
    """A copy of the run's migrated database, in which the module is installed."""
    name = f"test_startmodule_{services.worker}"
    drop_database(services.server_url, name)
    with maintenance(services.server_url) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template_of(services))
            )
        )
    yield embedded.with_database(services.server_url, name)
    drop_database(services.server_url, name)


def template_of(services: Services) -> str:
    return services.template_url.partition("?")[0].rpartition("/")[2]


@pytest.fixture(scope="module")
def scratch(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    folder = tmp_path_factory.mktemp("scratch") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    # addsitedir and not a plain path: the project's own .pth files are to be read as well
    own = sysconfig.get_paths()["purelib"]
    (site_packages / "project.pth").write_text(f"import site; site.addsitedir({own!r})\n")
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COV_", "COVERAGE_"))
    }
    return Scratch(
        folder,
        {
            **environment,
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "portal.config.settings.test",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "MYPYPATH": str(ROOT),
        },
    )


@pytest.fixture(scope="module")
def module(scratch: Scratch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module, made by the command and installed by pip."""
    into = tmp_path_factory.mktemp("made")
    said = scratch.run("manage.py", "startmodule", NAME, "--into", str(into))
    assert f"{into / NAME} is made" in said
    scratch.run(
        "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", str(into / NAME)
    )
    return into / NAME


@pytest.mark.requirement("PT-051")
@pytest.mark.processes
def test_a_new_module_passes_the_project_s_checks_and_its_own_tests(
    scratch: Scratch, module: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch.run("-m", "ruff", "check", ".", cwd=module)
    scratch.run("-m", "ruff", "format", "--check", ".", cwd=module)
    scratch.run("-m", "djlint", "--quiet", "--lint", NAME, cwd=module)
    kept = ROOT / ".cache" / "mypy-startmodule"
    scratch.run("-m", "mypy", "--cache-dir", str(kept), cwd=module)
    contracts = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    assert "3 kept, 0 broken" in scratch.run("-c", contracts, cwd=module)
    monkeypatch.setattr(catalogues, "ROOT", module)
    assert untranslated(module) == []
    said = scratch.run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
        cwd=module,
        # another name: its databases are called after it, and it drops them when it ends
        DATABASE_URL=embedded.with_database(services.server_url, f"module_{services.worker}"),
        PORTAL_TEST_BASE_TEMPLATE=template_of(services),
    )  # fmt: skip
    assert " passed" in said
    assert "failed" not in said


def untranslated(module: Path) -> list[str]:
    """Strings of the module's sources without words in some language."""
    package = module / NAME
    domain = Domain(NAME, (package,), package / "locale")
    missing = []
    for language in ("da", "nl", "cs"):
        with domain.po(language).open("rb") as file:
            known = read_po(file, locale=language)
        assert domain.po(language).with_suffix(".mo").exists()
        missing += [
            f"{language}: {message.id}"
            for message in catalog_of(domain)
            if message.id and not (known.get(message.id) and known.get(message.id).string)
        ]
    return missing


@pytest.mark.requirement("PT-050", "PT-051", "PT-023")
@pytest.mark.processes
def test_a_module_is_installed_used_and_removed_and_what_it_did_stays_readable(
    scratch: Scratch, module: Path
) -> None:
    driver = str(Path(__file__).with_name("use_module.py"))
    used = scratch.told(driver, "with", NAME)
    assert used["modules"] == ["digital_review", "tracershop", NAME]
    assert used["quarantined"] == {}
    assert "no issues" in used["check"]
    assert f"{NAME}.0001_initial" in used["migrate"]
    assert "No changes detected" in used["pending"]
    assert used["entered"] == [302, f"/{NAME}/1/"]
    assert "Anna Andersen" in used["page"]
    assert f'href="/{NAME}/"' in used["home"]
    assert (used["answered"], used["excel"], used["pdf"]) == (302, "PK", "%PDF-")
    assert "Seen on Monday" in used["history"]

    scratch.run("-m", "pip", "uninstall", "--yes", "--quiet", "hospital-portal-wound-care")
    left = scratch.told(driver, "without", NAME)
    assert left["modules"] == ["digital_review", "tracershop"]
    assert left["quarantined"] == {}
    assert "no issues" in left["check"]
    assert "No migrations to apply" in left["migrate"]
    assert {name: status for name, (status, _page) in left["pages"].items()} == dict.fromkeys(
        left["pages"], 200
    )
    pages = {name: page for name, (_status, page) in left["pages"].items()}
    assert "Module wound_care is not in use" in pages["history"]
    for name in ("history", "entry", "trail"):
        assert "Referral 1" in pages[name]
    assert "nr-1" in pages["access log"]
    assert f"/{NAME}/" not in pages["home"]
    assert left["clerk"] == [200, 404]
    assert left["faults"] == []


@pytest.mark.requirement("PT-051")
def test_a_name_of_any_length_gives_well_formed_files(tmp_path: Path) -> None:
    for name in ("ent", "x_very_long_name_of_a_register"):
        folder = write_module(name, tmp_path)
        for command in (["check", "."], ["format", "--check", "."]):
            done = subprocess.run(
                [sys.executable, "-m", "ruff", *command], cwd=folder, check=False,
                capture_output=True, text=True,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout
        left = [path for path in folder.rglob("*") if "%%" in path.name or path.suffix == ".tmpl"]
        assert left == []
        assert not [
            path
            for path in folder.rglob("*")
            if path.suffix in {".py", ".toml", ".html", ".md"} and "%%" in path.read_text()
        ]
