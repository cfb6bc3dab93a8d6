"""The configuration that decides clinical behaviour is signed (OP-005).

A module declares ``clinical_settings``: a function that states what decides its clinical behaviour.
An authorised person signs what it states. From then on every service of every host compares: at its
start, and once a minute. Where what is differs from what was signed, or the signature does not
hold, the module is in *non-clinical* mode: a hatched band on each of its pages says so, operators
are told, and the audit trail says from when until when.
"""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from portal.access.decision import require
from portal.access.selectors import people_with
from portal.audit.services import record
from portal.notifications.models import Notification
from portal.notifications.services import notify
from portal.operations.models import (
    SIGN_CONFIGURATION,
    ConfigurationFinding,
    SignedConfiguration,
)
from portal.records.errors import Refused
from portal.records.services import writes
from portal.registry import PortalModule, registry
from portal.signing.canonical import Change, canonical, changed_fields, digest, plain
from portal.signing.services import (
    Signer,
    State,
    made_by_act,
    sign,
    signatures_of,
    supersede,
    verify,
)

logger = logging.getLogger(__name__)

SIGNABLE = "operations.configuration"
LOOKED_EVERY_S = 60
# A place that has not looked for this long runs no more, and decides nothing.
FRESH_FOR = timedelta(minutes=15)
_Finding = ConfigurationFinding
_LONGEST_DETAIL = 20  # changes named


@dataclass(frozen=True)
class Look:
    """What a module's configuration is now, and what of it was signed."""

    module: str
    state: ConfigurationFinding.State
    present: dict[str, Any] | None
    digest: str
    signed: SignedConfiguration | None
    changes: tuple[Change, ...] = ()
    detail: str = ""

    @property
    def clinical(self) -> bool:
        """Whether the module may be relied on clinically."""
        if self.state is _Finding.State.UNSIGNED:
            return not settings.PORTAL_REQUIRE_SIGNED_CONFIGURATION
        return self.state is _Finding.State.SIGNED


def modules_with_clinical_settings() -> list[PortalModule]:
    return [module for module in registry.modules() if module.clinical_settings]


def this_place() -> str:
    """The service of this host, as others know it."""
    return f"{socket.gethostname()} {settings.PORTAL_SERVICE}"


# --- looking -------------------------------------------------------------------------------------


def look_at(module: PortalModule) -> Look:
    """Compare what the module states now with what was signed. Never raises for the module's sake.

    DatabaseError passes: then nothing is known of anything.
    """
    signed = SignedConfiguration.objects.filter(module=module.label).first()
    try:
        present = _present(module)
    except DatabaseError:
        raise
    except Exception as error:
        logger.exception("the clinical settings of %s cannot be stated", module.label)
        return Look(module.label, _Finding.State.UNREADABLE, None, "", signed, detail=repr(error))
    found = digest(canonical(present))
    if signed is None:
        return Look(module.label, _Finding.State.UNSIGNED, present, found, None)
    fault = _signature_fault(signed)
    if fault:
        return Look(module.label, _Finding.State.BROKEN, present, found, signed, detail=fault)
    changes = tuple(changed_fields(signed.stated, present))
    if changes:
        detail = ", ".join(change.path for change in changes[:_LONGEST_DETAIL])
        return Look(module.label, _Finding.State.CHANGED, present, found, signed, changes, detail)
    return Look(module.label, _Finding.State.SIGNED, present, found, signed)


def _present(module: PortalModule) -> dict[str, Any]:
    """What the module states, as JSON's own types. NotCanonicalError where it cannot be signed."""
    stated = import_string(str(module.clinical_settings))()
    if not isinstance(stated, dict):
        raise TypeError(f"clinical_settings gave a {type(stated).__name__}, not a dict")
    return plain(stated)


def in_lines(stated: Any, path: tuple[str, ...] = ()) -> list[tuple[str, Any]]:
    """Every single setting with the way to it, ``isotopes › F-18 › half_life_s``, to be read."""
    if isinstance(stated, dict) and stated:
        members: list[tuple[str, Any]] = sorted(stated.items())
    elif isinstance(stated, list) and stated:
        members = [(str(number), item) for number, item in enumerate(stated, start=1)]
    else:
        return [(" › ".join(path), stated)]
    return [line for name, value in members for line in in_lines(value, (*path, name))]


def _signature_fault(signed: SignedConfiguration) -> str:
    """Why the newest signature on it does not hold; '' where it does."""
    signature = signatures_of(signed).filter(signable=SIGNABLE).first()
    if signature is None:
        return "its signature is not there"
    verdict = verify(signature, signed)
    if verdict.state is not State.VALID:
        return str(verdict)
    return ""


@made_by_act()
def signed_facts(signed: SignedConfiguration) -> dict[str, Any]:
    """What the signer of a configuration saw."""
    return {"module": signed.module, "settings": signed.stated, "reason": signed.reason}


# --- the mode ------------------------------------------------------------------------------------


def non_clinical_reason(label: str, now: datetime) -> str:
    """Why a module is in non-clinical mode, in words for its users; '' where it is not.

    One query. Any place's fresh finding counts: pages and tasks may be served by any of them.
    """
    findings = list(
        _Finding.objects.filter(module=label, looked_at__gt=now - FRESH_FOR).order_by("since")
    )
    wrong = next((finding for finding in findings if not finding.clinical), None)
    if wrong is not None:
        return _WORDS[_Finding.State(wrong.state)]()
    if not findings and settings.PORTAL_REQUIRE_SIGNED_CONFIGURATION:
        return _("Nobody has compared its configuration with the signed one yet.")
    return ""


_WORDS = {
    _Finding.State.UNSIGNED: lambda: _("Its configuration was never signed."),
    _Finding.State.CHANGED: lambda: _("Its configuration is not the one that was signed."),
    _Finding.State.BROKEN: lambda: _("The signature on its configuration does not hold."),
    _Finding.State.UNREADABLE: lambda: _("Its configuration cannot be read."),
    _Finding.State.SIGNED: lambda: "",
}


def is_clinical(label: str) -> bool:
    """Whether a module may be relied on clinically now: for its services and documents."""
    return not non_clinical_reason(label, timezone.now())


@writes
def note_configurations(*, actor: Any) -> list[ConfigurationFinding]:
    """Look at every module's configuration from here, and keep what was found.

    A change of mode is audited and, where it is for the worse, told to the operators.
    """
    return [_note(look_at(module)) for module in modules_with_clinical_settings()]


def _note(look: Look) -> ConfigurationFinding:
    now = timezone.now()
    place = this_place()
    before = (
        _Finding.objects.select_for_update(no_key=True)
        .filter(module=look.module, place=place)
        .first()
    )
    was_clinical = before.clinical if before else True
    same = before is not None and before.state == look.state
    finding, _created = _Finding.objects.update_or_create(
        module=look.module,
        place=place,
        defaults={
            "state": look.state,
            "clinical": look.clinical,
            "digest": look.digest,
            "detail": look.detail,
            "since": before.since if before and same else now,
            "looked_at": now,
        },
    )
    if was_clinical and not look.clinical:
        _enter_non_clinical(look, place)
    elif not was_clinical and look.clinical:
        facts = {"module": look.module, "place": place, "state": look.state}
        record("operations.clinical_again", data=facts)
    return finding


def _enter_non_clinical(look: Look, place: str) -> None:
    logger.error("module %s is in non-clinical mode: %s %s", look.module, look.state, look.detail)
    changes = [change.as_json() for change in look.changes[:_LONGEST_DETAIL]]
    record(
        "operations.non_clinical",
        data={
            "module": look.module,
            "place": place,
            "state": look.state,
            "detail": look.detail,
            "changes": changes,
            "of": len(look.changes),
        },
    )
    text = _("Module %(module)s is in non-clinical mode: see its configuration.")
    for person in people_with("operations.see_status"):
        notify(
            person,
            text % {"module": look.module},
            url=reverse("operations:configuration_of", args=[look.module]),
            level=Notification.Level.ALARM,
        )


# --- signing -------------------------------------------------------------------------------------


def meaning() -> str:
    """What the signature on a configuration says."""
    return _("I have checked this configuration; it may be used clinically")


@writes
def sign_configuration(
    *, actor: Any, module: str, seen_digest: str, reason: str, signer: Signer
) -> SignedConfiguration:
    """Sign what the module's configuration is now; it must be what the signer saw.

    ``signer`` comes from `portal.signing.web.signer_of`, before the transaction. Refused:
    ``gone`` (no such module, or it declares nothing), ``reason_needed``, ``stale``, ``unreadable``,
    ``nothing_new``, and what `sign` refuses.
    """
    require(actor, SIGN_CONFIGURATION)
    declared = {each.label: each for each in modules_with_clinical_settings()}.get(module)
    if declared is None:
        raise Refused(_("There is no such module, or it has nothing to sign."), code="gone")
    if not reason.strip():
        raise Refused(_("Say why this configuration is right."), code="reason_needed")
    look = look_at(declared)
    if look.present is None:
        raise Refused(_("The configuration cannot be read: %s") % look.detail, code="unreadable")
    if look.digest != seen_digest:
        raise Refused(
            _("The configuration was changed while you looked at it. Look again."), code="stale"
        )
    if look.state is _Finding.State.SIGNED:
        raise Refused(_("This configuration is signed already."), code="nothing_new")
    signed = SignedConfiguration.objects.create(
        module=module,
        stated=look.present,
        digest=look.digest,
        signed_by=actor,
        reason=reason.strip(),
    )
    sign(
        actor=actor,
        signable=SIGNABLE,
        obj=signed,
        meaning=meaning(),
        key=signer,
    )
    if look.signed is not None:
        for former in signatures_of(look.signed):
            supersede(former, _("A later configuration was signed"))
    facts = {"module": module, "digest": look.digest, "changes": len(look.changes)}
    record("operations.configuration_signed", signed, data=facts)
    _clear(module, look.digest)
    return signed


def _clear(module: str, signed_digest: str) -> None:
    """Places that saw exactly this need not wait for their next look."""
    wrong = _Finding.objects.select_for_update(no_key=True).filter(
        module=module, clinical=False, digest=signed_digest
    )
    for finding in wrong.order_by("pk"):
        finding.state, finding.clinical, finding.detail = _Finding.State.SIGNED, True, ""
        finding.since = timezone.now()
        finding.save()
        facts = {"module": module, "place": finding.place, "state": finding.state}
        record("operations.clinical_again", data=facts)


# --- health --------------------------------------------------------------------------------------


def check_configuration() -> None:
    """Health check: every module with clinical settings is looked at, and clinical."""
    now = timezone.now()
    wrong = [
        f"{module.label}: {reason}"
        for module in modules_with_clinical_settings()
        if (reason := non_clinical_reason(module.label, now))
    ]
    if wrong:
        raise RuntimeError("; ".join(wrong))
