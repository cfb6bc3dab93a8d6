"""Every text of a form in every language, as one table, and one of them changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from portal.forms.rules.definition import Form
from portal.forms.rules.texts import Words

_OPTIONAL = frozenset({"help", "description"})
_STAND_ALONE = frozenset({"sections", "parts", "items", "code_lists", "missing_codes"})


@dataclass(frozen=True)
class Text:
    """One text: the way to it (``sections.0.parts.2.label``), what it belongs to, its words."""

    way: str
    part: str
    """The code of what it belongs to; empty for the form."""
    key: str
    words: Words
    optional: bool

    def lacks(self, language: str) -> bool:
        """Whether it must be given in the language and is not."""
        needed = bool(self.words) if self.optional else True
        return needed and language not in self.words.languages


def texts_of(form: Form) -> Iterator[Text]:
    """Every text in the order of the form; code lists and missing-value codes last."""
    found = list(_below(form, "", ""))
    lists = ("code_lists.", "missing_codes.")
    yield from (each for each in found if not each.way.startswith(lists))
    yield from (each for each in found if each.way.startswith(lists))


def _below(thing: Any, way: str, part: str) -> Iterator[Text]:
    """The texts of a part before those of the parts in it."""
    own = [each.name for each in fields(thing)]
    for name in sorted(own, key=lambda name: isinstance(getattr(thing, name), tuple)):
        value, here = getattr(thing, name), f"{way}.{name}" if way else name
        if isinstance(value, Words):
            yield Text(here, part, name, value, name in _OPTIONAL)
        elif isinstance(value, tuple):
            for number, each in enumerate(value):
                if is_dataclass(each):
                    code = str(getattr(each, "code", ""))
                    named = code if name in _STAND_ALONE else f"{part} · {code}"
                    yield from _below(each, f"{here}.{number}", named)


def with_text(form: Form, way: str, language: str, text: str) -> Form:
    """The form with one text changed in one language; empty takes it away. LookupError."""
    if language not in form.languages:
        raise LookupError(language)
    changed: Form = _with(form, way.split("."), language, text.strip())
    return changed


def _with(thing: Any, way: list[str], language: str, text: str) -> Any:
    if isinstance(thing, Words):
        if way:
            raise LookupError(way)
        texts = {**dict(thing.by_language), language: text}
        return Words.of({each: words for each, words in texts.items() if words})
    if not way:
        raise LookupError(way)
    if isinstance(thing, tuple):
        if not way[0].isdecimal() or int(way[0]) >= len(thing):
            raise LookupError(way)
        here = int(way[0])
        return (*thing[:here], _with(thing[here], way[1:], language, text), *thing[here + 1 :])
    if not is_dataclass(thing) or way[0] not in {each.name for each in fields(thing)}:
        raise LookupError(way)
    value = _with(getattr(thing, way[0]), way[1:], language, text)
    return replace(thing, **{way[0]: value})  # type: ignore[type-var]


def with_languages(form: Form, languages: tuple[str, ...]) -> Form:
    """The form in these languages; texts in others are gone."""

    def kept(thing: Any) -> Any:
        if isinstance(thing, Words):
            return Words.of({each: text for each, text in thing.by_language if each in languages})
        if isinstance(thing, tuple):
            return tuple(kept(each) for each in thing)
        if is_dataclass(thing) and not isinstance(thing, type):
            values = {each.name: kept(getattr(thing, each.name)) for each in fields(thing)}
            return replace(thing, **values)
        return thing

    whole: Form = replace(kept(form), languages=languages)
    return whole
