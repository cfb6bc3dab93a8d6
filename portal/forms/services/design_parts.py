"""What the acts on designs share: reading, locking, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from portal.access.decision import require, visible
from portal.forms.fault_words import sentence_of
from portal.forms.kinds import DesignKind
from portal.forms.models import DesignVersion
from portal.forms.rules.faults import Fault, Faulty
from portal.records.errors import Refused
from portal.records.services import locked


class FaultyDesign(Refused):
    """Refused for what is wrong with the content: every fault with its place."""

    def __init__(self, message: Any, faults: Sequence[Fault], code: str = "faulty") -> None:
        super().__init__(message, code=code, details=[sentence_of(each) for each in faults])
        self.faults = tuple(faults)


def read_content(kind: DesignKind, content: object) -> Any:
    """The definition in ``content``, which may be one already. FaultyDesign with every place."""
    if not isinstance(content, (dict, str, bytes)):
        content = kind.write(content)
    try:
        return kind.read(content)
    except Faulty as error:
        raise FaultyDesign(_("This cannot be read:"), error.faults, "unreadable") from error


def versions_of(kind: DesignKind, design: Any) -> Any:
    return kind.version.objects.filter(design=design)  # type: ignore[misc]


def latest(kind: DesignKind, design: Any) -> Any:
    return versions_of(kind, design).order_by("-number").first()


def next_draft(kind: DesignKind, design: Any, source: Any) -> Any:
    # the number of a draft that was discarded is not given again: its history names it
    last = kind.version.all_objects.filter(design=design).order_by("-number").first()  # type: ignore[misc]
    draft: Any = kind.version(design=design, number=last.number + 1 if last else 1)  # type: ignore[misc]
    if source is not None:
        draft.content = source.content
        for name in kind.kept_of:
            setattr(draft, name, getattr(source, name))
    draft.save()
    return draft


def locked_design(kind: DesignKind, actor: Any, design_id: int) -> Any:
    """The design first, then its versions: locks go in this order."""
    design = locked(visible(actor, kind.design.objects.select_related("unit")), design_id)
    require(actor, kind.may_design, design)
    return design


def locked_version(kind: DesignKind, actor: Any, version_id: int) -> Any:
    versions = visible(actor, kind.version.objects.all())
    found = versions.filter(pk=version_id).values_list("design_id", flat=True).first()
    if found is None:
        raise gone()
    design = locked_design(kind, actor, found)
    version = locked(kind.version.objects.all(), version_id)
    version.design = design  # type: ignore[attr-defined]
    return version


def locked_draft(kind: DesignKind, actor: Any, version_id: int) -> Any:
    version = locked_version(kind, actor, version_id)
    if version.state != DesignVersion.State.DRAFT:
        raise Refused(
            _("Version %(number)s is published and never changes: begin a new draft.")
            % {"number": version.number},
            code="published",
        )
    return version


def gone() -> Refused:
    return Refused(_("This record does not exist (any more)."), code="gone")


def require_reason(reason: str) -> None:
    if not reason.strip():
        raise Refused(_("Say why."), code="reason")
