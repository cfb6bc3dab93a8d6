"""The life of a design, of forms and flows alike: draft → published → retired.

Every act takes the `DesignKind` first. A draft's content can always be *read*; whether it may be
*used* is decided when it is published, and after that it never changes (the database refuses it).
A version that was replaced stays readable for the answers that were given on it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require, visible
from portal.audit.services import record
from portal.forms.kinds import DesignKind
from portal.forms.models import Design, DesignVersion
from portal.forms.rules.publishing import code_fault
from portal.forms.services.design_parts import (
    FaultyDesign,
    gone,
    latest,
    locked_draft,
    locked_version,
    next_draft,
    read_content,
    require_reason,
    versions_of,
)
from portal.forms.services.drafts import (
    begin_draft,
    discard_draft,
    redo_draft,
    save_draft,
    steps_of,
    undo_draft,
)
from portal.organisation.models import Unit
from portal.records.context import current_act
from portal.records.errors import Refused
from portal.records.services import check_version, writes
from portal.registry import registry

__all__ = [
    "FaultyDesign",
    "begin_draft",
    "copy_design",
    "create_design",
    "digest_of",
    "discard_draft",
    "export_design",
    "import_design",
    "install_design",
    "publish_version",
    "redo_draft",
    "retire_version",
    "save_draft",
    "steps_of",
    "undo_draft",
]

_MOST_BYTES = 5_000_000


@writes
def create_design(
    kind: DesignKind,
    *,
    actor: Any,
    unit: Unit,
    area: str,
    code: str,
    title: str,
    languages: tuple[str, ...] = ("en",),
) -> Any:
    """A design with an empty draft. PermissionDenied; Refused: ``area``, ``code_taken``, ``code``.

    Gives the draft, its design on it.
    """
    return _create(kind, actor, unit, area, title, kind.empty(code, title, languages))


@writes
def copy_design(
    kind: DesignKind, *, actor: Any, design_id: int, unit: Unit, code: str, title: str
) -> Any:
    """A design of one's own that begins as another one's latest version. Gives the draft."""
    source = visible(actor, kind.design.objects.all(), kind.may_design).filter(pk=design_id).first()
    if source is None:
        raise gone()
    version = latest(kind, source)
    content = kind.read(version.content)
    renamed = _renamed(content, code, title)
    return _create(kind, actor, unit, source.area, title, renamed, version)


@writes
def import_design(
    kind: DesignKind,
    *,
    actor: Any,
    unit: Unit,
    area: str,
    data: bytes | str,
    code: str = "",
    title: str = "",
) -> Any:
    """A design from an exported file; code and title are the file's where none are given.

    What is wrong with the file is said with every place (`FaultyDesign`, code ``unreadable``).
    Gives the draft.
    """
    if len(data) > _MOST_BYTES:
        raise Refused(_("The file is larger than 5 MB: that is no design."), code="too_large")
    content = read_content(kind, data)
    named = title or content.title.text(next(iter(content.languages), ""))
    content = replace(content, code=code or content.code)
    return _create(kind, actor, unit, area, named or content.code, content)


@writes
def install_design(
    kind: DesignKind,
    *,
    actor: Any,
    unit: Unit,
    area: str,
    code: str,
    title: str,
    content: object,
    reason: str = "installed",
) -> Any:
    """The design of this code at the unit, published with this content: for what modules ship.

    Where it is published with the same content already, nothing is done; with another, the next
    version is made and published. A draft that somebody works at is left alone: Refused ``draft``.
    Gives the published version. FaultyDesign when the content cannot be used.
    """
    wanted = read_content(kind, content)
    design = (
        kind.design.objects.select_for_update(no_key=True, of=("self",))
        .filter(unit=unit, code=code)
        .first()
    )
    if design is None:
        draft = _create(kind, actor, unit, area, title, replace(wanted, code=code))
        return _publish(kind, actor, draft.design, draft, reason)
    require(actor, kind.may_publish, design)
    wanted = replace(wanted, code=code)
    published = versions_of(kind, design).filter(state=DesignVersion.State.PUBLISHED).first()
    if published is not None and published.content == kind.write(wanted):
        return published
    draft = versions_of(kind, design).filter(state=DesignVersion.State.DRAFT).first()
    if draft is not None:
        raise Refused(
            _("“%(design)s” has a draft: publish or discard it first.") % {"design": design},
            code="draft",
        )
    draft = next_draft(kind, design, published)
    draft.content = kind.write(wanted)
    draft.save(update_fields={"content"})
    return _publish(kind, actor, design, draft, reason)


@writes
def publish_version(
    kind: DesignKind, *, actor: Any, version_id: int, opened_version: int, reason: str
) -> Any:
    """Put a draft into use; the version before it is retired.

    PermissionDenied; StaleRecord; Refused: ``published``, ``reason``; FaultyDesign with all faults.
    """
    draft = locked_draft(kind, actor, version_id)
    require(actor, kind.may_publish, draft)
    check_version(draft, opened_version, {})
    return _publish(kind, actor, draft.design, draft, reason)


@writes
def retire_version(kind: DesignKind, *, actor: Any, version_id: int, reason: str) -> Any:
    """Nothing new begins on this version any more. Refused: ``not_published``, ``reason``."""
    version = locked_version(kind, actor, version_id)
    require(actor, kind.may_publish, version)
    require_reason(reason)
    if version.state != DesignVersion.State.PUBLISHED:
        raise Refused(_("Only a published version can be retired."), code="not_published")
    _retire(kind, version)
    return version


def export_design(version: Any) -> str:
    """The version as the text of a file that `import_design` reads."""
    return json.dumps(version.content, ensure_ascii=False, indent=2, sort_keys=False) + "\n"


def digest_of(content: Any) -> str:
    """SHA-256 of the content, the same whatever the order of its keys."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _renamed(content: Any, code: str, title: str) -> Any:
    words = type(content.title).of(dict.fromkeys(content.languages, title))
    return replace(content, code=code, title=words)


def _create(
    kind: DesignKind,
    actor: Any,
    unit: Unit,
    area: str,
    title: str,
    content: Any,
    source: Any = None,
) -> Any:
    design: Any = kind.design(unit=unit, area=area, code=content.code, title=title[:200])
    require(actor, kind.may_design, design)
    if registry.design_area(area) is None:
        raise Refused(_("There is no module that uses such designs."), code="area")
    if bad := list(code_fault(content.code, ())):
        raise FaultyDesign(_("The code cannot be used."), bad, "code")
    with _taken(content.code):
        design.save()
    draft = kind.version(design=design, number=1, content=kind.write(content))  # type: ignore[misc]
    for name in kind.kept_of if source is not None else ():
        setattr(draft, name, getattr(source, name))
    draft.save()
    record(
        f"{kind.app}.design_created",
        design,
        data={"area": area, "code": design.code, "unit": unit.code},
    )
    return draft


@contextmanager
def _taken(code: str) -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise Refused(
            _("The unit has a design with the code %(code)s already.") % {"code": code},
            code="code_taken",
        ) from error


def _publish(kind: DesignKind, actor: Any, design: Design, draft: Any, reason: str) -> Any:
    require(actor, kind.may_publish, design)
    require_reason(reason)
    content = read_content(kind, draft.content)
    faults = kind.faults(design, content)
    if faults:
        raise FaultyDesign(_("This version cannot be published yet:"), faults)
    former = versions_of(kind, design).filter(state=DesignVersion.State.PUBLISHED).first()
    changes = kind.difference(kind.read(former.content), content) if former is not None else []
    if former is not None:
        _retire(kind, former)
    draft.state = DesignVersion.State.PUBLISHED
    draft.published_at = timezone.now()
    draft.published_by = current_act().person
    for name, value in kind.published_with(design).items():
        setattr(draft, name, value)
    draft.save()
    _take_title(design, content)
    record(
        f"{kind.app}.version_published",
        draft,
        data={
            "version": draft.number,
            "replaces": former.number if former is not None else None,
            "sha256": digest_of(draft.content),
            "changes": changes,
        },
        reason=reason,
    )
    return draft


def _take_title(design: Design, content: Any) -> None:
    """A list shows the title that the published version has in its first language."""
    title = content.title.text(content.languages[0])[:200]
    if design.title != title:
        design.title = title
        design.save(update_fields={"title"})


def _retire(kind: DesignKind, version: Any) -> None:
    version.state = DesignVersion.State.RETIRED
    version.retired_at = timezone.now()
    version.save(update_fields={"state", "retired_at"})
    record(f"{kind.app}.version_retired", version, data={"version": version.number})
