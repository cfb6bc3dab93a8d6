"""The watched folder: files taken in once, whatever happens; their vials; what is left open."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.access.selectors import people_with
from portal.audit.services import record
from portal.inbox.models import InboundMessage
from portal.inbox.services import read_raw, store_message
from portal.notifications.services import notify, tasks_changed
from portal.records.context import ServiceActor
from portal.records.services import writes
from portal.registry import registry
from tracershop.interfaces.dispensed import BadRow, DispensedVial
from tracershop.interfaces.dispenser_files import is_dispenser_file, read_dispenser_file
from tracershop.interfaces.errors import FormatError, Reason
from tracershop.interfaces.reading import read_customer
from tracershop.models import Customer, Tracer, Vial
from tracershop.models.reach import VIALS
from tracershop.rules.lots import LotError, LotNumber, parse_lot
from tracershop.rules.vials import VialFacts, VialLimits, vial_warnings
from tracershop.selectors.schedule import site_zone
from tracershop.services.batches import open_batch
from tracershop.services.vials import announce_vial

logger = logging.getLogger(__name__)

DISPENSER = ServiceActor("dispenser import")
ARCHIVE = "archive"
LARGEST_FILE_BYTES = 20 * 1024 * 1024
_SEEN_FOR_S = 7 * 24 * 3600
_AWAY_LOGGED_EVERY_S = 300
# scans come each second, but several may come at once after the worker was away
_STABLE_FOR = timedelta(seconds=0.7)
_EMPTY_FOR = timedelta(minutes=1)


def watched_folder() -> Path:
    return Path(registry.settings_for("tracershop").dispenser_folder)


def check_folder() -> None:
    """Health check: the folder is there and can be read."""
    folder = watched_folder()
    if not folder.is_dir():
        raise RuntimeError(f"{folder} is not there")
    next(folder.iterdir(), None)


def read_folder() -> int:
    """Take in every complete file of the watched folder; returns how many were new.

    A file is complete when its size and time of change are those of an earlier scan. It is stored
    (durably, by its content) before it is moved to the archive folder; where it cannot be moved it
    stays, and is known by name, size and time. A folder that is away is waited for: the health
    check tells of it.
    """
    folder = watched_folder()
    taken = 0
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        if cache.add("dispenser:away", 1, _AWAY_LOGGED_EVERY_S):
            logger.warning("the dispenser folder cannot be read: %s", error)
        return 0
    for path in paths:
        try:
            # a link could lead to any file that the portal may read, and its content into the inbox
            is_ours = path.is_file() and not path.is_symlink()
            if is_ours and is_dispenser_file(path.name) and _is_complete(path):
                taken += _take_in(path)
        except OSError as error:
            logger.warning("dispenser file %r cannot be read now: %s", path.name, error)
    return taken


def _state(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_size}:{stat.st_mtime_ns}"


def _is_complete(path: Path) -> bool:
    state, now = _state(path), timezone.now()
    seen_state, seen_at = cache.get(_key(path)) or ("", now)
    if seen_state == f"taken {state}":
        return False
    if seen_state != state:
        cache.set(_key(path), (state, now), _SEEN_FOR_S)
        return False
    # an empty file is one that somebody has only begun
    return now - seen_at >= (_EMPTY_FOR if state.startswith("0:") else _STABLE_FOR)


def _key(path: Path) -> str:
    return f"dispenser:{hashlib.sha256(os.fsencode(path)).hexdigest()}"


def _take_in(path: Path) -> bool:
    state, size_bytes = _state(path), path.stat().st_size
    too_large = size_bytes > LARGEST_FILE_BYTES
    # of one that is too large nothing is kept here: its beginning could pass for a whole file
    raw = b"" if too_large else path.read_bytes()
    if _state(path) != state:
        return False  # it grew while it was read
    name = state + path.name if too_large else ""
    _pk, new = store_message(
        channel="dispenser",
        kind=path.suffix.lstrip(".").lower()[:50],
        source=path.name,
        identity=hashlib.sha256(raw + os.fsencode(name)).hexdigest(),
        raw=raw,
        keep=raw,
        size_bytes=size_bytes,
        refused=str(FormatError("file", Reason.TOO_LARGE)) if too_large else "",
    )
    logger.info("dispenser file %r stored%s", path.name, "" if new else " before")
    _put_away(path, state)
    return new


def _put_away(path: Path, state: str) -> None:
    archive = path.parent / ARCHIVE
    try:
        archive.mkdir(exist_ok=True)
        target = archive / path.name
        if target.exists():
            target = archive / f"{timezone.now():%Y%m%d%H%M%S%f}-{path.name}"
        path.rename(target)
        if _state(target) != state and not path.exists():
            target.rename(path)  # written anew at this very moment: not what was stored
    except OSError:
        cache.set(_key(path), (f"taken {state}", timezone.now()), _SEEN_FOR_S)


def check_file(raw: bytes) -> bytes:
    """A corrected file must hold something; what is wrong inside shows when it is processed."""
    if not raw.strip():
        msg = "the file is empty"
        raise ValueError(msg)
    return raw


@dataclass
class Taken:
    """What one file gave."""

    new: int = 0
    known: int = 0
    held: int = 0


def take_file(message: InboundMessage) -> str:
    """The vials of a stored file. A bad row rejects that row; ValueError for a bad file, and for
    one that has nothing but bad rows."""
    result = read_dispenser_file(read_raw(message), message.source, site_zone())
    taken, bad_rows = Taken(), list(result.bad_rows)
    for vial, rows in zip(result.vials, result.vial_rows, strict=True):
        try:
            take_vial(actor=DISPENSER, vial=vial, source=message, taken=taken)
        except FormatError as error:
            bad_rows.append(BadRow(rows, f"row {rows[0]}, {error.where}", error.reason))
    rejected = "; ".join(f"{row.where}: {row.reason}" for row in bad_rows[:20])
    if bad_rows and not taken.new + taken.known:
        raise ValueError(rejected)  # nothing in it is of use: to quarantine, whole
    parts = [f"{taken.new} vials"]
    if taken.known:
        parts.append(f"{taken.known} known already")
    if taken.held:
        parts.append(f"{taken.held} held")
    if bad_rows:
        parts.append(f"{len(bad_rows)} rejected: {rejected}")
    if taken.held or bad_rows:
        _alert(message, taken, len(bad_rows))
    return ", ".join(parts)


def _alert(message: InboundMessage, taken: Taken, bad_rows: int) -> None:
    people = people_with(VIALS)
    text = _("%(file)s: %(held)s vials held, %(bad)s rows rejected") % {
        "file": message.source,
        "held": taken.held,
        "bad": bad_rows,
    }
    for person in people:
        notify(person, text, url=f"/inbox/{message.pk}/", level="warning")
    tasks_changed(people)


@writes
def take_vial(
    *,
    actor: Any,
    vial: DispensedVial,
    source: InboundMessage | None,
    taken: Taken,
    now: datetime | None = None,
) -> Vial | None:
    """Keep one vial; None when it is known already (lot, customer, fill time, activity, volume).

    ``now`` is when it arrived. FormatError when its activity or volume is nothing.
    """
    lot = _lot(vial.lot)
    tracer = Tracer.objects.filter(lot_prefix__iexact=lot.prefix).first() if lot else None
    customer = _customer(vial)
    values: dict[str, Any] = {
        "lot": str(lot) if lot else vial.lot[:40],
        "customer_label": _label(vial),
        "filled_at": vial.filled_at,
        "activity_mbq": round(vial.activity_mbq, 6),
        "volume_ml": round(vial.volume_ml, 6),
    }
    for name in ("activity_mbq", "volume_ml"):
        if values[name] <= 0:
            raise FormatError(name, Reason.NOT_ABOVE_ZERO)
    if _known(values, customer):
        taken.known += 1
        return None
    kept = Vial(
        **values,
        tracer=tracer,
        customer=customer,
        expires_at=vial.expires_at,
        product=vial.product[:100],
        dispenser=vial.dispenser[:100],
        position=(vial.position or vial.part)[:40],
        value_status=str(vial.value_status or Vial.ValueStatus.INSTRUMENT),
        warnings=_warnings(vial, lot, tracer, now or timezone.now(), source),
        source=source,
    )
    try:
        with transaction.atomic():
            kept.save()
    except IntegrityError:  # taken in by another process at this very moment
        if not _known(values, customer):
            raise
        taken.known += 1
        return None
    taken.new += 1
    taken.held += kept.is_held
    record("tracershop.vial_imported", kept, data={"warnings": kept.warnings, **values})
    announce_vial(kept, "imported")
    if lot and tracer:
        open_batch(lot, tracer)
    return kept


def _lot(text: str) -> LotNumber | None:
    try:
        return parse_lot(text)
    except LotError:
        return None


def _label(vial: DispensedVial) -> str:
    parts = [str(vial.customer_id) if vial.customer_id is not None else "", vial.customer_name]
    return "-".join(filter(None, parts))[:200]


def _customer(vial: DispensedVial) -> Customer | None:
    """By the dispenser's number; else by name. A number and a name that disagree settle nothing."""
    by_name = Customer.objects.filter(name__iexact=vial.customer_name).first()
    if vial.customer_id is None:
        return by_name
    by_number = Customer.objects.filter(dispenser_id=vial.customer_id).first()
    if by_name is not None and by_number is not None and by_name != by_number:
        return None
    return by_number


def _known(values: dict[str, Any], customer: Customer | None) -> bool:
    """The same vial, though the two kinds of file may name one customer differently, and though
    the customer may have been made known since (TS-061), or a person corrected it (TS-063)."""
    told = {name: value for name, value in values.items() if name != "customer_label"}
    once_so = Vial.history.filter(**told).values("id")
    same = Vial.objects.filter(Q(**told) | Q(pk__in=once_so))
    return any(
        (customer is not None and vial.customer_id == customer.pk)
        or _same_label(vial.customer_label, values["customer_label"])
        for vial in same
    )


def _same_label(one: str, other: str) -> bool:
    """`99-Klinik`, `99` and `Klinik` may name the same; `99-Klinik` and `98-Klinik` do not."""
    (number, name), (other_number, other_name) = (read_customer(x, "") for x in (one, other))
    if number is not None and other_number is not None:
        return number == other_number
    return name.casefold() == other_name.casefold()


def _warnings(
    vial: DispensedVial,
    lot: LotNumber | None,
    tracer: Tracer | None,
    now: datetime,
    source: InboundMessage | None,
) -> list[str]:
    typed = () if vial.value_status in (None, "instrument") else ("activity_mbq",)
    facts = VialFacts(
        lot=lot,
        filled_at=vial.filled_at,
        use_before=vial.expires_at,
        activity_mbq=vial.activity_mbq,
        volume_ml=vial.volume_ml,
        typed_fields=typed,
    )
    return warnings_of(facts, tracer, now, arrived_at=source.received_at if source else None)


def warnings_of(
    facts: VialFacts, tracer: Tracer | None, now: datetime, *, arrived_at: datetime | None = None
) -> list[str]:
    """Codes of what is remarkable about a vial, by its tracer's limits."""
    infinite = float("inf")
    limits = (
        VialLimits(tracer.min_vial_mbq, tracer.max_vial_mbq, tracer.min_vial_ml, tracer.max_vial_ml)
        if tracer
        else VialLimits(0, infinite, 0, infinite)
    )
    found = vial_warnings(facts, limits, now=now, zone=site_zone(), arrived_at=arrived_at)
    return [str(warning.code) for warning in found]
