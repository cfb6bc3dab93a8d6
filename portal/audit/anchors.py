"""Signed heads of the chains in a file outside the database, which is only ever appended to.

Every line names the line before it by its hash, and the audit trail, which is chained itself,
names every line: a line that is changed, left out or cut off is found, from either side. The same
lines go to a second place where ``PORTAL_ANCHOR_COPY`` names one: another file, or a syslog.

The file must not be rotated or cleaned up: a missing line is a fault for good. Make it append-only
where the file system can (``chattr +a``), or keep the second place on another machine.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from logging.handlers import SYSLOG_UDP_PORT, SysLogHandler
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from portal import serverkeys
from portal.audit.chain import CHAINS
from portal.audit.models import AuditEntry
from portal.audit.services import record

ANCHORED = "audit.anchored"
_SYSLOG = "syslog:"
_BATCH = 1_000


def write_anchors() -> int:
    """Append the signed head of each chain to the anchor file and its copy; how many lines.

    One writer at a time. The file is written, and on the disk, before the trail says so.
    """
    path = Path(settings.PORTAL_ANCHOR_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    with transaction.atomic(), _alone(path) as file:
        lines = _lines(path)
        first = len(lines) + 1
        for chain, seq, digest in _heads():
            lines.append(_signed_line(lines, chain, seq, digest, timezone.now()))
        added = lines[first - 1 :]
        if not added:
            return 0
        _append(file, added)
        record(ANCHORED, data={"line": len(lines), "sha256": _sha256(lines[-1])})
    _copy(lines, added)
    return len(added)


def head_faults(chain: str) -> Iterator[tuple[int, str]]:
    """Anchored links of ``chain`` that are not there any more, or are others: number and what."""
    anchors = [anchor for anchor in _genuine(_main()) if anchor["chain"] == chain]
    for start in range(0, len(anchors), _BATCH):
        batch = anchors[start : start + _BATCH]
        known = _hashes(chain, [anchor["seq"] for anchor in batch])
        for anchor in batch:
            if anchor["seq"] not in known:
                yield anchor["seq"], f"anchored on {anchor['at']}, now missing"
            elif known[anchor["seq"]] != anchor["hash"]:
                yield anchor["seq"], f"rewritten since anchored on {anchor['at']}"


def file_faults() -> list[str]:
    """What is wrong with the anchor file and its copy themselves; [] when they are whole."""
    lines = _main()
    return [*_line_faults(lines), *_told_faults(lines), *_copy_faults(lines)]


# --- the lines ------------------------------------------------------------------------------------


def _main() -> list[str]:
    return _lines(Path(settings.PORTAL_ANCHOR_FILE))


def _lines(path: Path) -> list[str]:
    """A few hundred bytes for each chain and night: ten years are two megabytes."""
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _sha256(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()


def _signed_line(lines: list[str], chain: str, seq: int, digest: str, anchored_at: datetime) -> str:
    statement: dict[str, Any] = {
        "line": len(lines) + 1,
        "previous": _sha256(lines[-1]) if lines else "",
        "chain": chain,
        "seq": seq,
        "hash": digest,
        "at": anchored_at.isoformat(),
    }
    signature = serverkeys.load_anchor_key().sign(_signed_bytes(statement))
    statement["signature"] = base64.b64encode(signature).decode()
    return json.dumps(statement, sort_keys=True)


def _signed_bytes(statement: dict[str, Any]) -> bytes:
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()


def _read(line: str) -> dict[str, Any] | None:
    """The statement of a genuine line, else None."""
    try:
        anchor = json.loads(line)
        signature = base64.b64decode(anchor.pop("signature"))
        serverkeys.load_anchor_key().public_key().verify(signature, _signed_bytes(anchor))
    except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature):
        return None
    return anchor


def _genuine(lines: list[str]) -> Iterator[dict[str, Any]]:
    return (anchor for line in lines if (anchor := _read(line)) is not None)


def _line_faults(lines: list[str]) -> Iterator[str]:
    before, numbered = "", False
    for number, line in enumerate(lines, start=1):
        anchor = _read(line)
        if anchor is None:
            yield f"anchor line {number} is not genuine"
        elif "line" in anchor or numbered:  # the first releases did not number theirs
            numbered = True
            if (anchor.get("line"), anchor.get("previous")) != (number, before):
                yield f"anchor line {number} does not follow the line before it"
        before = _sha256(line)


def _told_faults(lines: list[str]) -> Iterator[str]:
    """The audit trail names the lines that were written: they must be in the file."""
    told = AuditEntry.objects.filter(action=ANCHORED).order_by("pk").values_list("data", flat=True)
    for data in told.iterator():
        number, digest = data.get("line"), data.get("sha256")
        if not isinstance(number, int):
            continue
        if number > len(lines):
            yield f"the anchor file has {len(lines)} lines, but line {number} was written"
            return
        if _sha256(lines[number - 1]) != digest:
            yield f"anchor line {number} is not the one that was written"
            return


# --- writing them ---------------------------------------------------------------------------------


@contextmanager
def _alone(path: Path) -> Iterator[int]:
    """The file, open for appending alone, while nobody else of this machine writes to it."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _append(file: int, lines: list[str]) -> None:
    whole = "".join(f"{line}\n" for line in lines).encode()
    if os.write(file, whole) != len(whole):
        raise OSError("the anchor file took only a part of its lines")
    os.fsync(file)


def _copy(lines: list[str], added: list[str]) -> None:
    """To the second place; a file that lacks older lines gets them too."""
    place = settings.PORTAL_ANCHOR_COPY
    if place.startswith(_SYSLOG):
        handler = SysLogHandler(address=_syslog_address(place), facility=SysLogHandler.LOG_AUTHPRIV)
        try:
            for line in added:
                text = f"portal-anchor {line}"
                handler.emit(logging.LogRecord("anchor", logging.INFO, "", 0, text, None, None))
        finally:
            handler.close()
    elif place:
        path = Path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path) as file:
            if missing := lines[len(_lines(path)) :]:
                _append(file, missing)


def _syslog_address(place: str) -> Any:
    """``syslog:/dev/log`` or ``syslog:host:514``."""
    where = place.removeprefix(_SYSLOG)
    if where.startswith("/"):
        return where
    host, _, port = where.partition(":")
    return host, int(port or SYSLOG_UDP_PORT)


def _copy_faults(lines: list[str]) -> Iterator[str]:
    place = settings.PORTAL_ANCHOR_COPY
    if not place or place.startswith(_SYSLOG):
        return
    copied = _lines(Path(place))
    for number, (line, copy) in enumerate(zip(lines, copied, strict=False), start=1):
        if line != copy:
            yield f"anchor line {number} and its copy are not the same"
            return
    if len(lines) != len(copied):
        yield f"the anchor file has {len(lines)} lines, its copy {len(copied)}"


# --- the chains -----------------------------------------------------------------------------------


def _heads() -> Iterator[tuple[str, int, str]]:
    with connection.cursor() as cursor:
        for chain in CHAINS:
            cursor.execute(
                "SELECT chain, seq, encode(hash, 'hex') FROM audit_chainlink WHERE chain = %s"
                " ORDER BY seq DESC LIMIT 1",
                [chain],
            )
            yield from cursor.fetchall()


def _hashes(chain: str, numbers: list[int]) -> dict[int, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq, encode(hash, 'hex') FROM audit_chainlink"
            " WHERE chain = %s AND seq = ANY(%s)",
            [chain, numbers],
        )
        return dict(cursor.fetchall())
