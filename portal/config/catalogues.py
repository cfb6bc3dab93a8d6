"""Translation catalogues without gettext's programs: Babel reads and writes everything.

    python -m portal.config.catalogues update    # bring every .po up to date with the sources
    python -m portal.config.catalogues compile   # .po → .mo (make does this at set-up)
    python -m portal.config.catalogues check     # exit 1 when a string is missing or fuzzy

Django's own ``templatize`` turns a template into something that Babel's Python extractor reads.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("da", "nl", "cs")
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "lazy": None,  # gettext_lazy, beside gettext as _
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
}


@dataclass(frozen=True)
class Domain:
    """One set of catalogues: where its strings are, and where its ``locale`` folder is."""

    name: str
    sources: tuple[Path, ...]
    locale: Path

    def po(self, language: str) -> Path:
        return self.locale / language / "LC_MESSAGES" / "django.po"


def domains() -> list[Domain]:
    """The portal with its themes, and each module."""
    found = [Domain("portal", (ROOT / "portal", ROOT / "themes"), ROOT / "portal" / "locale")]
    for project in sorted((ROOT / "modules").glob("*/pyproject.toml")):
        package = project.parent / project.parent.name
        found.append(Domain(package.name, (package,), package / "locale"))
    return found


def _strings(domain: Domain) -> Iterator[tuple[str, int, str | tuple[str, ...], list[str], str]]:
    files = [
        path
        for source in domain.sources
        for suffix in ("*.py", "*.html", "*.txt")
        for path in sorted(source.rglob(suffix))
        if not {"migrations", "node_modules", "design"} & set(path.parts)
    ]
    for path in files:
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".py":
            # the lines' indentation is the template's: it would be none that Python knows
            lines = templatize(text, origin=path.name).splitlines()
            text = "\n".join(line.lstrip() for line in lines)
        place = path.relative_to(ROOT).as_posix()
        found = extract("python", BytesIO(text.encode()), KEYWORDS, options={"encoding": "utf-8"})
        for line, message, comments, context in found:
            yield place, line, message, comments, context


def catalog_of(domain: Domain) -> Catalog:
    """Every string of the sources, untranslated."""
    catalog = Catalog(project=domain.name, fuzzy=False)
    for place, _line, message, comments, context in _strings(domain):
        key = message[:2] if isinstance(message, tuple) else message
        if key and (key if isinstance(key, str) else key[0]):
            # files without line numbers: a catalogue changes only when a text does
            catalog.add(key, None, [(place, 0)], auto_comments=comments, context=context or None)
    return catalog


def update() -> None:
    for domain in domains():
        fresh = catalog_of(domain)
        for language in LANGUAGES:
            path = domain.po(language)
            path.parent.mkdir(parents=True, exist_ok=True)
            catalog = _read(path, language)
            catalog.update(fresh, no_fuzzy_matching=True, keep_user_comments=True)
            catalog.obsolete.clear()
            with path.open("wb") as file:
                write_po(file, catalog, width=100, no_location=True, sort_output=True)


def compile_all() -> None:
    for domain in domains():
        for language in LANGUAGES:
            path = domain.po(language)
            with path.with_suffix(".mo").open("wb") as file:
                write_mo(file, _read(path, language))


def problems() -> list[str]:
    """Strings of the sources that a language lacks, or has only as a guess."""
    found = []
    for domain in domains():
        fresh = catalog_of(domain)
        for language in LANGUAGES:
            known = _read(domain.po(language), language)
            for message in fresh:
                if not message.id:
                    continue
                key = message.id if isinstance(message.id, str) else message.id[0]
                there = known.get(key, message.context)
                texts = _strings_of(there)
                if there is None or not all(texts):
                    found.append(f"{domain.name} {language}: untranslated: {key!r}")
                elif there.fuzzy:
                    found.append(f"{domain.name} {language}: fuzzy: {key!r}")
                elif any(_placeholders(text) != _placeholders(key) for text in texts):
                    found.append(f"{domain.name} {language}: other placeholders: {key!r}")
    return found + _contradictions()


def _strings_of(message: Message | None) -> list[str]:
    """The translations of a message: one, or one a plural form; [''] for none."""
    if message is None or not message.string:
        return [""]
    return [message.string] if isinstance(message.string, str) else list(message.string)


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)[sd]", text))


def _contradictions() -> list[str]:
    """Django merges all catalogues into one: the same English must be the same everywhere."""
    found = []
    for language in LANGUAGES:
        seen: dict[tuple[str, str | None], tuple[str, object]] = {}
        for domain in domains():
            for message in _read(domain.po(language), language):
                key = message.id if isinstance(message.id, str) else message.id[0]
                first = seen.setdefault((key, message.context), (domain.name, message.string))
                if key and first[1] != message.string:
                    found.append(
                        f"{domain.name} {language}: {key!r} is {message.string!r},"
                        f" but {first[1]!r} in {first[0]}"
                    )
    return found


def _read(path: Path, language: str) -> Catalog:
    if not path.exists():
        return Catalog(locale=language, fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def main(arguments: list[str]) -> int:
    match arguments:
        case ["update"]:
            update()
        case ["compile"]:
            compile_all()
        case ["check"]:
            found = problems()
            for line in found:
                sys.stderr.write(f"{line}\n")
            return 1 if found else 0
        case _:
            sys.stderr.write(__doc__ or "")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
