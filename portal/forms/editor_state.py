"""What the editor shows of a draft: its outline, the chosen part, its texts, what is missing."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from portal.forms.editor_acts import MISSING, Outcome
from portal.forms.editor_forms import PartForm
from portal.forms.editor_words import FUNCTIONS, KINDS, PARTS, RULES
from portal.forms.fault_words import TYPES, place_of, words_of
from portal.forms.kinds import names_of
from portal.forms.models import FormVersion
from portal.forms.rules.definition import Form, Group, Item
from portal.forms.rules.faults import Fault
from portal.forms.rules.publishing import faults_of
from portal.forms.rules.terms import Term, Type, terms_of
from portal.forms.rules.tree import Address, address_of, part_at, walk
from portal.forms.rules.wording import Text, texts_of
from portal.forms.services.drafts import steps_of
from portal.registry import registry

logger = logging.getLogger(__name__)
TABS = ("items", "lists", "texts", "faults")


def at_text(at: Address) -> str:
    """``0.2.1``, as pages have an address."""
    return ".".join(map(str, at))


@dataclass(frozen=True)
class Line:
    """A part in the outline."""

    at: str
    what: str
    code: str
    words: str
    kind: str
    depth: int
    chosen: bool
    faults: int
    marks: tuple[tuple[str, str], ...]
    """Icon and word of each."""


@dataclass(frozen=True)
class FaultLine:
    """A fault with the way to where it is mended."""

    tab: str
    at: str
    place: str
    words: str


class EditorState:
    """A draft as one person looks at it; worked out as far as the page asks."""

    def __init__(
        self,
        version: FormVersion,
        form: Form,
        at: Address,
        tab: str,
        outcome: Outcome | None = None,
    ) -> None:
        self.version, self.form, self.tab = version, form, tab if tab in TABS else TABS[0]
        self.outcome = outcome
        try:
            self.part: Any = part_at(form, at)
            self.at = at
        except LookupError:
            self.part, self.at = form, ()
        area = registry.design_area(version.design.area)
        self.connectors = area.connectors if area is not None else ()
        self.language = get_language() or "en"

    # names beyond the form --------------------------------------------------------------------

    @cached_property
    def _outside(self) -> tuple[Mapping[str, Term], bool]:
        try:
            return names_of(self.version.design), True
        except Exception:
            # a module's mistake is its own: the form can still be worked at
            logger.exception("names for forms of %s cannot be had", self.version.design.area)
            return {}, False

    @property
    def outside(self) -> Mapping[str, Term]:
        return self._outside[0]

    @property
    def area_answers(self) -> bool:
        return self._outside[1]

    @cached_property
    def terms(self) -> Mapping[str, Term]:
        """The names that a rule of the chosen part can read."""
        row_of = ""
        if isinstance(self.part, Item) and len(self.at) == 3:
            group = part_at(self.form, self.at[:-1])
            row_of = group.code if isinstance(group, Group) and group.repeats else ""
        return terms_of(self.form, row_of, dict(self.outside))

    # faults -----------------------------------------------------------------------------------

    @cached_property
    def faults(self) -> list[Fault]:
        return faults_of(self.form, self.outside)

    @property
    def fault_lines(self) -> list[FaultLine]:
        return [self._fault_line(fault) for fault in self.faults]

    def _fault_line(self, fault: Fault) -> FaultLine:
        first = fault.place[0][0] if fault.place else ""
        tab = "lists" if first in ("code list", "missing-value codes") else "items"
        at = at_text(address_of(self.form, fault.place))
        return FaultLine(tab, at, place_of(fault.place) or _("the form"), words_of(fault))

    @property
    def own_faults(self) -> list[FaultLine]:
        """Those of the chosen part itself."""
        lines = self.fault_lines
        return [each for each in lines if each.tab == "items" and each.at == at_text(self.at)]

    # outline ----------------------------------------------------------------------------------

    @cached_property
    def outline(self) -> list[Line]:
        counted = Counter(line.at for line in self.fault_lines if line.tab == "items" and line.at)
        return [self._line(at, part, counted) for at, part in walk(self.form) if at]

    def _line(self, at: Address, part: Any, counted: Mapping[str, int]) -> Line:
        item = isinstance(part, Item)
        words = (part.label if item else part.title).text(self.language, self.form.languages)
        marks = []
        if item and part.personal:
            marks.append(("lock", _("personal data")))
        if item and part.note:
            marks.append(("info", _("has a note")))
        if getattr(part, "show_if", ""):
            marks.append(("eye", _("shown only if")))
        return Line(
            at_text(at),
            type(part).__name__.lower(),
            part.code,
            words,
            str(KINDS[part.kind]) if item else "",
            len(at),
            at == self.at,
            counted.get(at_text(at), 0),
            tuple(marks),
        )

    @property
    def addable(self) -> list[tuple[str, str]]:
        """What can be added: sections, groups, and every kind of item."""
        kinds = [(kind.value, str(label)) for kind, label in KINDS.items()]
        return [("section", _("Section")), ("group", _("Group")), *kinds]

    # the chosen part --------------------------------------------------------------------------

    @cached_property
    def settings(self) -> PartForm:
        if self.outcome is not None and self.outcome.invalid is not None:
            return self.outcome.invalid
        return PartForm(None, form=self.form, part=self.part, connectors=self.connectors)

    @property
    def what(self) -> str:
        return str(PARTS[type(self.part).__name__.lower()])

    @property
    def is_item(self) -> bool:
        return isinstance(self.part, Item)

    @property
    def chosen(self) -> str:
        return at_text(self.at)

    @property
    def asks(self) -> list[dict[str, str]]:
        """What refers to the part that is to be deleted."""
        found = []
        for at, key, rule in self.outcome.asks if self.outcome is not None else ():
            code = getattr(part_at(self.form, at), "code", "")
            words = str(RULES.get(key, "")) or key.replace("check", _("edit check"), 1)
            found.append({"at": at_text(at), "code": code, "what": words, "rule": rule})
        return found

    @property
    def names(self) -> list[dict[str, str]]:
        """What can stand in a rule: names with their labels, functions with their help."""
        spots = self.form.spots
        found = []
        for name, term in sorted(self.terms.items(), key=lambda each: "." in each[0]):
            code = name.rpartition(".")[2]
            label = spots[code].item.label if code in spots else None
            words = label.text(self.language, self.form.languages) if label is not None else ""
            gives = _("rows of a group") if term.group else str(TYPES[term.type])
            found.append({"insert": name, "shown": name, "help": words, "gives": gives})
        today = {"insert": "today", "shown": "today", "help": _("the day on which it is filled in")}
        found.append({**today, "gives": str(TYPES[Type.DATE])})
        found += [
            {"insert": f"{name}(", "shown": shown, "help": str(words), "gives": _("function")}
            for name, (shown, words) in FUNCTIONS.items()
        ]
        return found

    # texts, lists -----------------------------------------------------------------------------

    @cached_property
    def texts(self) -> list[Text]:
        return list(texts_of(self.form))

    @property
    def lacking(self) -> dict[str, int]:
        """How many texts each language lacks."""
        return {
            language: sum(each.lacks(language) for each in self.texts)
            for language in self.form.languages
        }

    @property
    def lists(self) -> list[dict[str, Any]]:
        """The code lists and, last, the missing-value codes, each with the items that use it."""
        used: dict[str, list[str]] = {}
        reasons: dict[str, None] = {}
        for spot in self.form.all_spots():
            used.setdefault(spot.item.code_list, []).append(spot.item.code)
            if spot.item.missing_codes:
                reasons[spot.item.code] = None
        found: list[dict[str, Any]] = [
            {
                "which": str(number),
                "code": each.code,
                "choices": each.choices,
                "used": used.get(each.code, []),
            }
            for number, each in enumerate(self.form.code_lists)
        ]
        codes = self.form.missing_codes
        return [*found, {"which": MISSING, "code": "", "choices": codes, "used": list(reasons)}]

    @cached_property
    def steps(self) -> tuple[int | None, int | None]:
        return steps_of(self.version)
