"""What a module says of the pages of its sheets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.translation import get_language

from portal.access.decision import visible
from portal.forms.models import Sheet, UnsavedInput
from portal.forms.presentation import Page, present
from portal.forms.selectors import read_sheet
from portal.forms.services.sheets import Kept, SheetRules, unsaved_of, with_unsaved
from portal.records.errors import Refused


@dataclass(frozen=True)
class Act:
    """A further act on the page of a sheet."""

    words: Any
    url: str
    icon: str = ""


_ACTS = (
    "fill", "check", "notice", "upload", "discard", "complete", "reopen",
    "print", "pdf", "blank", "excel",
)  # fmt: skip


def _none(*_: Any) -> tuple[()]:
    return ()


@dataclass(frozen=True)
class SheetPage:
    """The pages of a module's sheets: under ``prefix`` of `sheet_urls`, called ``name``,
    ``name_fill``, ``name_pdf`` and so on in the namespace of the model's app."""

    name: str
    rules: SheetRules
    crumbs: Callable[[Any], Sequence[tuple[Any, str]]] = _none
    """``(sheet)``: words and addresses of the pages above."""
    facts: Callable[[Any], Sequence[tuple[Any, Any]]] = _none
    """``(sheet)``: labels and values that say whose form it is, on screen and on paper."""
    acts: Callable[[HttpRequest, Any], Sequence[Act]] = _none
    """``(request, sheet)``: further acts, such as *Sign*."""
    related: tuple[str, ...] = ()
    """What `crumbs`, `facts` and the rules follow: ``select_related``."""
    side: str = ""
    """A template beside the form that is read; it takes ``sheet``."""
    number: Callable[[Any], str] | None = None
    """``(sheet)``: what its document is called, the only one of this number in the house."""

    def url(self, sheet: Any, act: str = "", *more: Any) -> str:
        """The address of the page that shows the sheet, or of an act on it."""
        app = self.rules.model._meta.app_label  # noqa: SLF001
        return reverse(f"{app}:{self.name}{act and f'_{act}'}", args=[sheet.pk, *more])

    def get(self, user: Any, pk: int) -> Any:
        """The sheet, where the person may see it; else there is none (404)."""
        related = ("form_version__design", "completed_by", *self.related)
        rows = self.rules.model.objects.select_related(*related)
        sheet = visible(user, rows).filter(pk=pk).first()
        if sheet is None:
            raise Http404
        return sheet

    def may_fill(self, user: Any, sheet: Any) -> bool:
        """Whether the person may fill it in, were it a draft."""
        try:
            self.rules.require_fill(user, sheet)
        except (PermissionDenied, Refused):
            return False
        return sheet.status != Sheet.Status.LOCKED

    def number_of(self, sheet: Any) -> str:
        if self.number is not None:
            return self.number(sheet)
        return f"{self.rules.name}-{sheet.pk}".replace("_", "-").replace(".", "-").upper()

    def common(self, sheet: Any) -> dict[str, Any]:
        """What every page of a sheet shows."""
        return {
            "sheet": sheet,
            "sheets": self,
            "crumbs": self.crumbs(sheet),
            "facts": self.facts(sheet),
            "topic": self.rules.topic(sheet),
            "urls": {"read": self.url(sheet), **{act: self.url(sheet, act) for act in _ACTS}},
        }

    def key(self, user: Any, sheet: Any) -> str:
        """Under what the browser keeps what could not be sent: one person's, of one sheet."""
        return f"sheet:{user.pk}:{self.rules.name}:{sheet.pk}"

    def read(self, sheet: Any) -> Page:
        """The sheet as it was saved."""
        read = read_sheet(sheet, outside=self.rules.outside(sheet))
        return present(read, get_language() or "en")

    def filling(self, user: Any, sheet: Any) -> Filling:
        """The sheet with what the person typed and did not save."""
        unsaved = unsaved_of(self.rules, user, sheet)
        return Filling(unsaved, self.shown(sheet, unsaved))

    def shown(self, sheet: Any, unsaved: UnsavedInput | None) -> Page:
        """The sheet with what somebody typed into it put in."""
        if unsaved is None:
            return self.read(sheet)
        return self.shown_of(with_unsaved(self.rules, sheet, unsaved))

    def shown_of(self, kept: Kept) -> Page:
        read = read_sheet(kept.sheet, answers=kept.answers, filled=kept.filled)
        return present(read, get_language() or "en", kept.unsaved.typed, kept.faults)


@dataclass(frozen=True)
class Filling:
    """What stands in the fields of a person, and since when they did not save."""

    unsaved: UnsavedInput | None
    page: Page

    def opened_version(self, sheet: Any) -> int:
        """The version of the sheet that what they typed is a change of."""
        return self.unsaved.opened_version if self.unsaved is not None else int(sheet.version)

    @property
    def sequence(self) -> int:
        return self.unsaved.sequence if self.unsaved is not None else 0
