"""Writing a new module out of the skeleton (PT-051): names, files, catalogues, first migration.

Everything is made in a scratch folder and put in its place at the end: what fails leaves nothing,
and what is there is never overwritten.
"""

from __future__ import annotations

import importlib.util
import keyword
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.apps import apps
from django.conf import settings
from django.urls import get_resolver

from portal import __version__
from portal.registry import ENTRY_POINT_GROUP, registry

SKELETON = Path(__file__).with_name("module_skeleton")
_SUFFIX = ".tmpl"
_LANGUAGES = ("da", "nl", "cs")
_LONGEST = 30
_NAME = re.compile(r"[a-z]+(_[a-z]+)*")


class SkeletonError(Exception):
    """The module cannot be made; the text says why, for whoever typed the command."""


@dataclass(frozen=True)
class Names:
    """``wound_care`` in every form that the files need."""

    name: str

    @property
    def class_name(self) -> str:
        return "".join(part.capitalize() for part in self.name.split("_"))

    @property
    def title(self) -> str:
        return self.name.replace("_", " ").capitalize()

    @property
    def distribution(self) -> str:
        return f"hospital-portal-{self.name.replace('_', '-')}"

    def replacements(self) -> dict[str, str]:
        major, minor = __version__.split(".")[:2]
        return {
            "name": self.name,
            "Class": self.class_name,
            "title": self.title,
            "dist": self.distribution,
            "short": self.name[:12].rstrip("_"),  # an index's name has 30 characters at most
            "code": self.name.replace("_", "")[:4].upper(),
            "portal_versions": f">={major}.{minor},<{major}.{int(minor) + 1}",
        }


def check_name(name: str) -> Names:
    """SkeletonError unless a module may be called so: in Python, in the portal and in addresses."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise SkeletonError(
            f"{name!r} is no name for a module: small letters a to z, words joined by single"
            f" underscores, at most {_LONGEST} characters (it begins every privilege and address)."
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise SkeletonError(f"{name!r} is a word of Python.")
    if name in sys.stdlib_module_names:
        raise SkeletonError(f"{name!r} is a module of Python's own library.")
    taken = {config.label for config in apps.get_app_configs()} | set(registry.quarantined)
    if name in taken:
        raise SkeletonError(f"{name!r} is installed already: as an app of Django or of the portal.")
    if importlib.util.find_spec(name) is not None or name in {"tests", "modules"}:
        raise SkeletonError(f"{name!r} is the name of a package that is here already.")
    if name in _addresses():
        raise SkeletonError(f"The address /{name}/ is the portal's own.")
    return Names(name)


def _addresses() -> set[str]:
    """The first parts of every address there is."""
    return {str(pattern.pattern).partition("/")[0] for pattern in get_resolver().url_patterns}


def write_module(name: str, into: Path) -> Path:
    """Write the module into a new folder ``into/name``; returns that folder. SkeletonError."""
    names = check_name(name)
    target = into / name
    if target.exists():
        raise SkeletonError(f"{target} is there already; nothing was written.")
    if not into.is_dir():
        raise SkeletonError(f"{into} is no folder: make it first, or name another with --into.")
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=into) as scratch:
        folder = Path(scratch) / name
        for source, path in _files(names):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(_filled(source, names), encoding="utf-8")
        _write_catalogues(folder / name / "locale", names)
        _make_first_migration(folder, names)
        _tidy(folder)
        try:
            folder.rename(target)  # fails where somebody made it meanwhile, unless it is empty
        except OSError as error:
            raise SkeletonError(f"{target} cannot be made: {error.strerror}.") from error
    return target


def _files(names: Names) -> Iterator[tuple[Path, Path]]:
    """Each template, and where its file goes."""
    for source in sorted(SKELETON.rglob(f"*{_SUFFIX}")):
        parts = [
            names.name if part == "module" else part
            for part in source.relative_to(SKELETON).with_suffix("").parts
        ]
        yield source, Path(*parts)


def _filled(source: Path, names: Names) -> str:
    text = source.read_text(encoding="utf-8")
    for key, value in names.replacements().items():
        text = text.replace(f"%%{key}%%", value)
    return text


# --- translations --------------------------------------------------------------------------------


def _write_catalogues(folder: Path, names: Names) -> None:
    """The skeleton's translations; where the house has words for the same, the house's.

    All catalogues become one in Django, so the same English must be the same in each.
    """
    for language in _LANGUAGES:
        path = folder / language / "LC_MESSAGES" / "django.po"
        with (SKELETON / "locale" / f"{language}.po").open("rb") as file:
            own = read_po(file, locale=language)
        house = _words_of_the_house(language)
        catalog = Catalog(locale=language, project=names.name, fuzzy=False)
        for message in own:
            if isinstance(message.id, str) and message.id:
                catalog.add(message.id, house.get(message.id, str(message.string)))
        catalog.add(names.title, house.get(names.title, names.title))
        path.parent.mkdir(parents=True)
        with path.open("wb") as file:
            write_po(file, catalog, width=100, no_location=True, sort_output=True)
        with path.with_suffix(".mo").open("wb") as file:
            write_mo(file, catalog)


def _words_of_the_house(language: str) -> dict[str, str]:
    """What the portal and the installed modules say, by the English; plurals are left out."""
    places = [Path(place) for place in settings.LOCALE_PATHS]
    places += [Path(module.path) / "locale" for module in registry.installed_modules()]
    words: dict[str, str] = {}
    for place in places:
        path = place / language / "LC_MESSAGES" / "django.po"
        if path.exists():
            with path.open("rb") as file:
                for message in read_po(file, locale=language):
                    if isinstance(message.id, str) and message.string and not message.context:
                        words.setdefault(message.id, str(message.string))
    return words


# --- migration and style -------------------------------------------------------------------------


def _make_first_migration(folder: Path, names: Names) -> None:
    """By Django itself, in a process in which the module counts as installed.

    The triggers in it have names and hashes of its tables, so it can be no template.
    """
    with tempfile.TemporaryDirectory() as place:
        info = Path(place) / f"{names.name}-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {names.distribution}\n")
        (info / "entry_points.txt").write_text(
            f"[{ENTRY_POINT_GROUP}]\n{names.name} = {names.name}.apps:{names.class_name}\n"
        )
        paths = [place, str(folder), *(path for path in sys.path if path)]
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": os.environ.get(
                "DJANGO_SETTINGS_MODULE", settings.SETTINGS_MODULE
            ),
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "ignore",
        }
        done = subprocess.run(  # noqa: S603 the name is checked
            [sys.executable, "-m", "django", "makemigrations", names.name, "--name", "initial"],
            env=environment, cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
    if done.returncode or not (folder / names.name / "migrations" / "0001_initial.py").exists():
        raise SkeletonError(f"Its first migration cannot be made:\n{(done.stderr or done.stdout)}")


def _tidy(folder: Path) -> None:
    """Names are of any length: lines are broken and imports sorted anew, where ruff is there."""
    if importlib.util.find_spec("ruff") is None:
        return
    ruff = [sys.executable, "-m", "ruff"]
    for command in (
        [*ruff, "check", "--quiet", "--select", "I", "--fix", "."],
        [*ruff, "format", "--quiet", "."],
    ):
        subprocess.run(command, cwd=folder, check=False, timeout=120)  # noqa: S603 see above
    shutil.rmtree(folder / ".ruff_cache", ignore_errors=True)
