"""A text in several languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """The same text in several languages: ``Words.of(en="Spleen", nl="Milt")``."""

    by_language: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, texts: Mapping[str, str] | None = None, **more: str) -> Words:
        """From a mapping of language to text; the order of languages is kept."""
        return cls(tuple({**(texts or {}), **more}.items()))

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(language for language, text in self.by_language if text.strip())

    def text(self, language: str, otherwise: Iterable[str] = ()) -> str:
        """In ``language``; else in the first of ``otherwise`` that there is; else in any."""
        texts = {each: text for each, text in self.by_language if text.strip()}
        for each in (language, *otherwise, *texts):
            if each in texts:
                return texts[each]
        return ""

    def __bool__(self) -> bool:
        return bool(self.languages)


NO_WORDS = Words()
