"""Does a signature stand? Its proof is checked, then what it signed against the rows as they are.

States, the first that applies:

- *broken*: the row of the signature is not what was signed and counter-signed, or its key is not
  the one that the audit trail says was registered;
- *key revoked*: made when its key was not to be trusted (any more). What a key signed before it was
  revoked stays valid: the server's counter-signature vouches for the time;
- *superseded*: the record was corrected and says so; the proof is good;
- *unverifiable*: the proof is good, but there is nothing to compare with: the object's row or its
  module is gone;
- *changed*: the proof is good, and the named facts are others now;
- *valid*.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DatabaseError, models, transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.access.selectors import people_with
from portal.audit.services import record
from portal.notifications.models import Notification
from portal.notifications.services import notify
from portal.signing import crypto
from portal.signing.models import Signature, SignatureVerification
from portal.signing.payloads import NotSignable, payload_of
from portal.signing.register import RegisteredKey, register_faults, registered_keys
from portal.signing.statements import proof_fault, signed_facts

logger = logging.getLogger(__name__)

AUDITOR = "audit.browse_logs"
_BATCH = 200


class State(models.TextChoices):
    """What can be said of a signature."""

    VALID = "valid", gettext_lazy("Valid")
    CHANGED = "changed", gettext_lazy("Changed since signing")
    BROKEN = "broken", gettext_lazy("Broken")
    KEY_REVOKED = "key_revoked", gettext_lazy("Key revoked")
    SUPERSEDED = "superseded", gettext_lazy("Superseded")
    UNVERIFIABLE = "unverifiable", gettext_lazy("Cannot be verified")


@dataclass(frozen=True)
class Verdict:
    """What verifying found: ``detail`` in words, ``changes`` are the facts that differ."""

    signature: Signature
    state: State
    detail: str = ""
    changes: list[crypto.Change] = field(default_factory=list)
    wrong: bool = False
    """Something that nobody did through the portal, or that must not stand: alarm."""

    @property
    def fields(self) -> list[str]:
        """The paths of the facts that were changed: ``vials[0].activity_mbq``."""
        return [change.path for change in self.changes]

    def __str__(self) -> str:
        """One line that names the signature and the row, for command and auditor."""
        signature = self.signature
        told = ", ".join(self.fields) or self.detail
        return (
            f"signature {signature.pk} ({signature.printed_name}, {signature.meaning}) on"
            f" {signature.object_type} {signature.object_id}: {self.state.value}: {told}"
        )


def verify(signature: Signature, obj: Any = None) -> Verdict:
    """The verdict on one signature; ``obj`` is its object where the caller has just read it."""
    return verify_many([signature], {} if obj is None else {signature.pk: obj})[0]


def verify_many(
    signatures: Iterable[Signature], objects: dict[int, Any] | None = None
) -> list[Verdict]:
    """The verdicts, in the same order.

    The number of queries is that of one signature per kind of object, however many there are, where
    the module's payload function names with `reads` what it follows. ``objects`` (by the
    signature's primary key) are the rows that the caller has just read.
    """
    found = list(signatures)
    models.prefetch_related_objects(found, "key", "supersession")
    judged: dict[int, Verdict] = {}
    open_questions = []
    keys = registered_keys({each.key_id for each in found}) if found else {}
    for signature in found:
        if verdict := _judge_alone(signature, keys.get(signature.key_id)):
            judged[signature.pk] = verdict
        else:
            open_questions.append(signature)
    live = {**_live_rows(open_questions, set(objects or {})), **(objects or {})}
    for signature in open_questions:
        judged[signature.pk] = _compare(signature, live.get(signature.pk))
    return [judged[signature.pk] for signature in found]


def _judge_alone(signature: Signature, key: RegisteredKey | None) -> Verdict | None:
    """What can be said without the object; ``key`` as table and audit trail have it."""
    if fault := proof_fault(signature):
        return Verdict(signature, State.BROKEN, fault, wrong=True)
    if key is None or key.fault:
        fault = f"its signing key: {key.fault if key else 'not in the table'}"
        return Verdict(signature, State.BROKEN, fault, wrong=True)
    if key.revoked_at is not None and signature.signed_at >= key.revoked_at:
        detail = _("made when its key was not to be trusted any more")
        return Verdict(signature, State.KEY_REVOKED, detail, wrong=True)
    supersession = getattr(signature, "supersession", None)
    if supersession is not None:
        return Verdict(signature, State.SUPERSEDED, supersession.reason)
    return None


def _live_rows(signatures: Sequence[Signature], known: set[int]) -> dict[int, Any]:
    """The signed objects by signature: a query for each kind, and those of its payload."""
    by_kind: dict[tuple[str, str], list[Signature]] = defaultdict(list)
    for signature in signatures:
        if signature.pk not in known:
            by_kind[signature.signable, signature.object_type].append(signature)
    rows: dict[int, Any] = {}
    for (signable, kind), group in by_kind.items():
        try:
            model, payload = apps.get_model(kind), payload_of(signable)
        except LookupError:
            continue
        keys = {signature.pk: _object_pk(model, signature) for signature in group}
        queryset = model._base_manager.prefetch_related(*getattr(payload, "reads", ()))  # noqa: SLF001
        by_pk = queryset.in_bulk([key for key in keys.values() if key is not None])
        rows |= {pk: by_pk[key] for pk, key in keys.items() if key in by_pk}
    return rows


def _object_pk(model: type[models.Model], signature: Signature) -> Any:
    try:
        return model._meta.pk.to_python(signature.object_id)  # noqa: SLF001
    except ValidationError:
        return None


def _compare(signature: Signature, live: Any) -> Verdict:
    try:
        apps.get_model(signature.object_type)
        payload = payload_of(signature.signable)
    except (LookupError, NotSignable):
        return Verdict(signature, State.UNVERIFIABLE, _("its module is not installed"))
    if live is None:
        return Verdict(signature, State.UNVERIFIABLE, _("the signed record is gone"), wrong=True)
    changes, trouble = _changes(signature, payload, live)
    if trouble:
        return Verdict(signature, State.UNVERIFIABLE, trouble, wrong=True)
    if changes:
        detail = _("these facts are others now than when they were signed")
        return Verdict(signature, State.CHANGED, detail, changes, wrong=True)
    return Verdict(signature, State.VALID)


def _changes(
    signature: Signature, payload: Callable[[Any], dict[str, Any]], live: Any
) -> tuple[list[crypto.Change], str]:
    try:
        return crypto.changed_fields(signed_facts(signature), payload(live)), ""
    except DatabaseError:
        raise
    except Exception as error:
        # A module's function over rows that somebody may have spoilt: that it fails is a finding.
        logger.exception("the facts of signature %s cannot be stated", signature.pk)
        return [], _("the record's present facts cannot be stated: %(error)s") % {
            "error": type(error).__name__
        }


# --- all of them ----------------------------------------------------------------------------------


def verify_all() -> SignatureVerification:
    """Verify every signature, and that audit trail and signatures agree; the outcome is kept."""
    count, last, faults = 0, 0, []
    # What is kept is read by people of any language, and by machines.
    with translation.override(None):
        while batch := list(Signature.objects.filter(pk__gt=last).order_by("pk")[:_BATCH]):
            count, last = count + len(batch), batch[-1].pk
            faults += [str(verdict) for verdict in _wrong_ones(batch)]
        faults += register_faults()
    return SignatureVerification.objects.create(signatures=count, faults=faults)


def _wrong_ones(batch: list[Signature]) -> Iterator[Verdict]:
    for verdict in verify_many(batch):
        if verdict.wrong:
            # Once more: the record may have been corrected between the two reads.
            again = verify(Signature.objects.get(pk=verdict.signature.pk))
            if again.wrong:
                yield again


@transaction.atomic
def alert_auditors(outcome: SignatureVerification) -> None:
    """Tell everybody who may read the audit trail that ``outcome`` is not sound, and record it."""
    faults = list(outcome.faults)
    record("signing.verification_failed", outcome, data={"faults": faults[:50], "of": len(faults)})
    for auditor in people_with(AUDITOR):
        notify(
            auditor,
            _("Electronic signatures are not sound: see the last verification."),
            url=reverse("signing:verification"),
            level=Notification.Level.ALARM,
        )


def check_last_run() -> None:
    """Health check: the newest verification is sound and not older than two days."""
    last = SignatureVerification.objects.first()
    if last is None:
        return
    if last.faults:
        raise RuntimeError(f"{len(last.faults)} faults, first: {last.faults[0]}")
    if last.at < timezone.now() - timedelta(days=2):
        raise RuntimeError(f"signatures last verified {last.at:%Y-%m-%d %H:%M} UTC")
