"""Translations are extracted, checked and compiled without gettext's programs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from portal.config import catalogues
from portal.config.catalogues import KEYWORDS, ROOT, Domain


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Domain:
    """A small module with one string in Python and two in a template."""
    source = tmp_path / "room"
    source.mkdir()
    (source / "rules.py").write_text('TEXT = _("Vial")\nMANY = ngettext("a vial", "vials", 2)\n')
    (source / "page.html").write_text(
        "<div>\n    <c-panel title=\"{% translate 'Order' %}\">\n"
        "  {% blocktranslate %}Release {{ n }}{% endblocktranslate %}</c-panel></div>"
    )
    domain = Domain("room", (source,), tmp_path / "locale")
    monkeypatch.setattr(catalogues, "ROOT", tmp_path)
    monkeypatch.setattr(catalogues, "domains", lambda: [domain])
    monkeypatch.setattr(catalogues, "LANGUAGES", ("da",))
    return domain


def translate(domain: Domain, words: dict[str, str | tuple[str, ...]]) -> None:
    text = ['msgid ""', 'msgstr ""', '"Content-Type: text/plain; charset=utf-8\\n"', ""]
    for english, danish in words.items():
        text.append(f'msgid "{english}"')
        if isinstance(danish, tuple):
            text += [f'msgid_plural "{english}s"', f'msgstr[0] "{danish[0]}"']
            text += [f'msgstr[1] "{danish[1]}"', ""]
        else:
            text += [f'msgstr "{danish}"', ""]
    path = domain.po("da")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(text))


COMPLETE: dict[str, str | tuple[str, ...]] = {
    "Vial": "Hætteglas",
    "a vial": ("et hætteglas", "hætteglas"),
    "Order": "Ordre",
    "Release %(n)s": "Frigiv %(n)s",
}


def test_strings_are_found_in_python_and_in_templates(room: Domain) -> None:
    found = {m.id if isinstance(m.id, str) else m.id[0] for m in catalogues.catalog_of(room)}
    assert found == {"", "Vial", "a vial", "Order", "Release %(n)s"}


def test_a_complete_catalogue_has_no_problems(room: Domain) -> None:
    translate(room, COMPLETE)
    assert catalogues.problems() == []


@pytest.mark.parametrize("missing", sorted(COMPLETE))
def test_a_string_without_translation_is_named(room: Domain, missing: str) -> None:
    translate(room, {english: danish for english, danish in COMPLETE.items() if english != missing})
    assert catalogues.problems() == [f"room da: untranslated: {missing!r}"]


def test_a_translation_that_loses_a_placeholder_is_named(room: Domain) -> None:
    translate(room, {**COMPLETE, "Release %(n)s": "Frigiv"})
    (problem,) = catalogues.problems()
    assert "Release %(n)s" in problem


def test_update_keeps_translations_and_compile_writes_them(room: Domain) -> None:
    translate(room, COMPLETE)
    catalogues.update()
    with room.po("da").open("rb") as file:
        assert read_po(file, locale="da").get("Vial").string == "Hætteglas"
    catalogues.compile_all()
    assert b"H\xc3\xa6tteglas" in room.po("da").with_suffix(".mo").read_bytes()


def test_two_rooms_may_not_translate_one_string_differently(
    room: Domain, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    translate(room, COMPLETE)
    other = Domain("other", room.sources, tmp_path / "other")
    translate(other, {**COMPLETE, "Order": "Bestilling"})
    monkeypatch.setattr(catalogues, "domains", lambda: [room, other])
    assert catalogues.problems() == ["other da: 'Order' is 'Bestilling', but 'Ordre' in room"]


def test_an_unknown_word_on_the_command_line_shows_how_it_is_used(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert catalogues.main(["frobnicate"]) == 2
    assert "update" in capsys.readouterr().err


@pytest.mark.requirement("PT-046")
def test_no_string_hides_behind_a_name_that_the_catalogues_do_not_know() -> None:
    """``gettext_lazy as later`` would leave its strings in English, and nobody told."""
    alias = re.compile(r"\bn?p?gettext\w* as (\w+)")
    unknown = {
        f"{path.relative_to(ROOT)}: {name}"
        for folder in ("portal", "modules")
        for path in (ROOT / folder).rglob("*.py")
        for name in alias.findall(path.read_text(encoding="utf-8"))
        if name not in KEYWORDS
    }
    assert unknown == set()
