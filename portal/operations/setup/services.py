"""Adding, changing and ending set-up records: the only writers of this package."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ForeignKey, Model, QuerySet
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require, visible
from portal.audit.services import differences, record
from portal.live.services import publish
from portal.records.errors import Refused
from portal.records.models import BareRecord
from portal.records.services import check_version, locked, soft_delete, writes


@dataclass(frozen=True)
class Doubt:
    """Something that is possible and rarely meant: a person confirms it by its ``code``."""

    code: str
    text: str


@dataclass(frozen=True)
class Use:
    """What in force stands on a record, so that this is not ended: *Delivery slots: 3*."""

    what: Any
    rows: Callable[[Any], QuerySet]


@dataclass(frozen=True)
class SetupRules:
    """What holds for the records of a model, whoever writes them."""

    model: type[BareRecord]
    privilege: str
    taken: Any = ""
    """The sentence where the database refuses a second one of the kind."""
    forbids: Callable[[Any, Any], None] = lambda new, old: None
    """``(record, as it was or None)``: raises Refused for what is never possible."""
    doubts: Callable[[Any, Any], Sequence[Doubt]] = lambda new, old: ()
    """The same arguments: what a person has to confirm."""
    fixed: tuple[str, ...] = ()
    """Fields that are chosen once and never changed: what stands on the record relies on them."""
    uses: tuple[Use, ...] = ()
    changed: Callable[[Any], None] = lambda row: None
    """Tells the module's other pages what changed; called within the transaction."""
    may_end: bool = True

    def rows(self, user: Any) -> QuerySet:
        """The active records that ``user`` may set up."""
        return visible(user, self.model.objects.all(), self.privilege)

    def uses_of(self, row: Any) -> list[str]:
        """What stands on the record, one line each: a query for each kind."""
        counted = [(use.what, use.rows(row).count()) for use in self.uses]
        return [f"{what}: {count}" for what, count in counted if count]

    @property
    def topic(self) -> str:
        """The live topic of the records' list; the module declares ``<app>/setup/<model>``."""
        return f"{self.model._meta.app_label}/setup/{self.model._meta.model_name}"  # noqa: SLF001

    def announce(self, verb: str, row: Any) -> None:
        """After commit, tell the open lists and the module's other pages."""
        publish(self.topic, verb, row.pk)
        self.changed(row)

    def act(self, verb: str) -> str:
        """The audit trail's name of an act."""
        return f"{self.model._meta.app_label}.{self.model._meta.model_name}_{verb}"  # noqa: SLF001


@writes
def save_record(
    *,
    actor: Any,
    rules: SetupRules,
    values: Mapping[str, Any],
    reason: str,
    pk: int | None = None,
    expected_version: int | None = None,
    confirmed: Collection[str] = (),
) -> Any:
    """Add a record, or change the one of ``pk``; what exists already beside it is left alone.

    PermissionDenied outside the actor's reach, before the change and after it. StaleRecord when
    somebody saved since ``expected_version``. Refused: ``gone``, ``reason_needed`` (of a change),
    ``invalid``, ``taken``, ``unconfirmed`` (``details`` are the doubts that nobody has confirmed),
    and what the rules forbid.
    """
    require(actor, rules.privilege)
    row = rules.model() if pk is None else locked(rules.rows(actor), pk)
    if pk is not None:
        require(actor, rules.privilege, row)
        check_version(row, expected_version, values)
        _demand_reason(reason)
    old = rules.model.objects.get(pk=pk) if pk is not None else None
    for name, value in values.items():
        setattr(row, name, value)
    _hold_owners(row)
    require(actor, rules.privilege, row)
    changes = _changes(old, row, values)
    if old is not None and not changes:
        return row
    try:
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        raise Refused(" ".join(error.messages), code="invalid") from None
    if old is not None and (fixed := [name for name in rules.fixed if name in changes]):
        names = ", ".join(str(_field(row, name).verbose_name) for name in fixed)
        raise Refused(_("Not changed any more: %(names)s.") % {"names": names}, code="fixed")
    rules.forbids(row, old)
    doubts = list(rules.doubts(row, old))
    if open_doubts := [each for each in doubts if each.code not in confirmed]:
        raise Refused(
            _("Please look at this before it is saved."), code="unconfirmed", details=open_doubts
        )
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise Refused(rules.taken or _("There is such a record already."), code="taken") from None
    if doubts:
        changes["confirmed"] = [None, [each.text for each in doubts]]
    verb = "added" if old is None else "changed"
    record(rules.act(verb), row, data=changes)
    rules.announce(verb, row)
    return row


@writes
def end_record(*, actor: Any, rules: SetupRules, pk: int, reason: str) -> Any:
    """Take a record out of use; it and what was made with it stay in the database.

    Refused: ``gone``, ``reason_needed``, or ``in_use`` with what stands on it as details.
    """
    require(actor, rules.privilege)
    if not rules.may_end:
        raise PermissionDenied(f"{rules.model.__name__} is changed, not ended")
    row = locked(rules.rows(actor), pk)
    require(actor, rules.privilege, row)
    _demand_reason(reason)
    if uses := rules.uses_of(row):
        raise Refused(
            _("%(record)s is in use. First end or move what stands on it.") % {"record": row},
            code="in_use",
            details=uses,
        )
    soft_delete(row)
    record(rules.act("ended"), row)
    rules.announce("ended", row)
    return row


def _demand_reason(reason: str) -> None:
    if not reason.strip():
        raise Refused(_("Say why: it goes into the audit trail."), code="reason_needed")


def _hold_owners(row: Any) -> None:
    """Lock what the record belongs to, so that nobody ends that at the same moment."""
    owners: list[tuple[Any, Any]] = [
        (field.related_model, getattr(row, field.attname))
        for field in row._meta.concrete_fields  # noqa: SLF001
        if isinstance(field, ForeignKey) and _same_app(field.related_model, row)
    ]
    for model, pk in sorted(owners, key=lambda owner: (owner[0].__name__, owner[1] or 0)):
        if pk is not None:
            locked(model.objects.all(), pk)


def _field(row: Any, name: str) -> Any:
    return row._meta.get_field(name)  # noqa: SLF001


def _same_app(model: Any, row: Any) -> bool:
    return issubclass(model, BareRecord) and model._meta.app_label == row._meta.app_label  # noqa: SLF001


def _changes(old: Any, row: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """What is different, as the audit trail has it: another record of the same name too."""
    if old is None:
        return differences({}, _plain(row, values))
    before, after = _plain(old, values), _plain(row, values)
    others = [name for name in values if getattr(old, name) != getattr(row, name)]
    return {name: [before[name], after[name]] for name in others} | differences(before, after)


def _plain(row: Any, names: Collection[str] | Mapping[str, Any]) -> dict[str, Any]:
    """Values as the audit trail has them: of what a record belongs to, the name."""
    values = {name: getattr(row, name) for name in names}
    return {
        name: str(value) if isinstance(value, Model) else value for name, value in values.items()
    }
