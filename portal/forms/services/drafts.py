"""Drafts: begun, kept at every change, taken back step by step, thrown away."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from portal.access.decision import visible
from portal.audit.services import record
from portal.forms.kinds import DesignKind
from portal.forms.models import DesignVersion
from portal.forms.services.design_parts import (
    gone,
    latest,
    locked_design,
    locked_draft,
    next_draft,
    read_content,
    require_reason,
    versions_of,
)
from portal.records.context import acting
from portal.records.errors import Refused
from portal.records.services import check_version, soft_delete, writes

UNDO, REDO = "undo", "redo"
"""Reasons in a draft's history that tell its steps back and forth from its other changes."""


@writes
def begin_draft(kind: DesignKind, *, actor: Any, design_id: int) -> Any:
    """The design's draft; where it has none, the next version, made from the latest one."""
    design = locked_design(kind, actor, design_id)
    draft = versions_of(kind, design).filter(state=DesignVersion.State.DRAFT).first()
    if draft is not None:
        return draft
    draft = next_draft(kind, design, latest(kind, design))
    record(f"{kind.app}.draft_begun", draft, data={"version": draft.number})
    return draft


@writes
def save_draft(
    kind: DesignKind,
    *,
    actor: Any,
    version_id: int,
    content: object,
    opened_version: int,
    step: str = "",
    **fields: Any,
) -> Any:
    """Keep a draft. ``opened_version`` is its version (of the record) when it was read.

    ``content`` is a definition or its JSON; ``fields`` are other fields of the version
    (`DesignKind.kept_of`). Refused: ``published``, ``code``, ``faulty`` where it cannot be read;
    StaleRecord where somebody else saved meanwhile. Drafts are kept in the history, not audited.
    """
    draft = locked_draft(kind, actor, version_id)
    check_version(draft, opened_version, {})
    read = read_content(kind, content)
    if read.code != draft.design.code:
        raise Refused(
            _("A design keeps its code %(code)s: copy it to give it another.")
            % {"code": draft.design.code},
            code="code",
        )
    draft.content = kind.write(read)
    for name in kind.kept_of:
        if name in fields:
            setattr(draft, name, fields[name])
    with acting(reason=step):
        draft.save(update_fields={"content", *(fields.keys() & set(kind.kept_of))})
    return draft


def undo_draft(kind: DesignKind, *, actor: Any, version_id: int, opened_version: int) -> Any:
    """The draft as it was before its last change. Refused ``nothing`` where there was none."""
    return _step(kind, actor, version_id, opened_version, UNDO)


def redo_draft(kind: DesignKind, *, actor: Any, version_id: int, opened_version: int) -> Any:
    """Take the last undoing back."""
    return _step(kind, actor, version_id, opened_version, REDO)


def _step(kind: DesignKind, actor: Any, version_id: int, opened_version: int, step: str) -> Any:
    draft = visible(actor, kind.version.objects.all()).filter(pk=version_id).first()
    if draft is None:
        raise gone()
    target = steps_of(draft)[0 if step == UNDO else 1]
    if target is None:
        raise Refused(_("There is nothing to take back."), code="nothing")
    then = draft.history.get(history_id=target)
    return save_draft(
        kind,
        actor=actor,
        version_id=version_id,
        content=then.content,
        opened_version=opened_version,
        step=step,
        **{name: getattr(then, name) for name in kind.kept_of},
    )


def steps_of(draft: Any) -> tuple[int | None, int | None]:
    """The rows of the draft's history that undo and redo go to: one query.

    The history only grows: a step back is a new row that says so. Replayed, it gives what a person
    expects of undo and redo.
    """
    done: list[int] = []
    undone: list[int] = []
    rows = draft.history.order_by("history_id").values_list("history_id", "history_change_reason")
    for row, reason in rows:
        if reason == UNDO and len(done) > 1:
            undone.append(done.pop())
        elif reason == REDO and undone:
            done.append(undone.pop())
        else:
            done.append(row)
            undone.clear()
    return (done[-2] if len(done) > 1 else None), (undone[-1] if undone else None)


@writes
def discard_draft(kind: DesignKind, *, actor: Any, version_id: int, reason: str) -> Any:
    """Throw a draft away; a design that never had another version goes with it."""
    draft = locked_draft(kind, actor, version_id)
    require_reason(reason)
    soft_delete(draft)
    record(f"{kind.app}.draft_discarded", draft, data={"version": draft.number})
    if not versions_of(kind, draft.design).exists():
        soft_delete(draft.design)
        record(f"{kind.app}.design_removed", draft.design)
    return draft
