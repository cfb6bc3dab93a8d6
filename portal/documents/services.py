"""Issuing documents: rendered, sealed, kept byte for byte, never altered (TS-086)."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Model, QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from portal import serverkeys
from portal.audit.models import AuditEntry
from portal.audit.services import Access, log_access, patient_of, record
from portal.documents import paper
from portal.documents.models import DocumentSupersession, IssuedDocument
from portal.documents.rendering import render_pdf
from portal.documents.sealing import SealState, seal_pdf, verify_seal
from portal.records.context import acting, current_act
from portal.records.errors import Refused
from portal.signing.canonical import canonical, plain

logger = logging.getLogger(__name__)

# First key of the advisory locks; the second is a hash of kind and object.
LOCK_CLASS = 7303  # of advisory locks; the inbox has 7302


def issue(
    *,
    kind: str,
    obj: Model,
    title: Any,
    number: str,
    data: Mapping[str, Any],
    template: Path,
    issued_by: Any = None,
) -> IssuedDocument:
    """The document in force for ``obj``: the one there is where it states the same, else a new one.

    A new revision supersedes the former, which stays as it is. ``data`` is what the template needs
    (see `paper.document_language`); ``document`` (number, revision, time, address to check at) and
    the house's ``labels`` are added here. ``number`` is the first revision's; later ones end in
    ``-r2``, ``-r3``. The caller authorises, and locks ``obj`` before where its data must not change
    meanwhile. Of several callers at once one issues, the others get that document.

    ``Refused`` (``server_key``) where the server cannot seal; RenderError, SealError and
    NotCanonicalError are faults of template or data.
    """
    with paper.document_language():
        title = str(title)
    with transaction.atomic():
        _lock(kind, obj)
        former = current(obj, kind)
        if former is not None and _states_the_same(former, data, title):
            return former
        last = _of(obj).filter(kind=kind).order_by("-revision").first()
        revision = last.revision + 1 if last else 1
        own_number = number if revision == 1 else f"{number}-r{revision}"
        issued_at = timezone.now()
        whole = paper.complete(
            data, title=title, number=own_number, revision=revision, issued_at=issued_at
        )
        pdf = _sealed(render_pdf(template, whole), title=f"{title} {own_number}")
        document = IssuedDocument.objects.create(
            kind=kind,
            object_type=obj._meta.label_lower,  # noqa: SLF001
            object_id=str(obj.pk),
            revision=revision,
            number=own_number,
            title=title,
            data=plain(whole),
            pdf=pdf,
            sha256=hashlib.sha256(pdf).hexdigest(),
            issued_at=issued_at,
            issued_by=issued_by or current_act().person,
        )
        facts = {"kind": kind, "number": own_number, "revision": revision}
        record("documents.issued", document, data={**facts, "sha256": document.sha256})
        if former is not None:
            _supersede(former, _("Replaced by revision %(revision)d") % {"revision": revision})
    return document


def supersede_documents(obj: Model, reason: str) -> list[IssuedDocument]:
    """Take every document of ``obj`` out of force, e.g. because its release is corrected.

    Called by the correcting service, in its transaction. Returns those that were in force.
    """
    if not reason.strip():
        raise Refused(_("Say why the documents are no longer in force."), code="reason_needed")
    with transaction.atomic():
        in_force = list(documents_of(obj).filter(supersession__isnull=True))
        for document in in_force:
            _supersede(document, reason)
    return in_force


def documents_of(obj: Model) -> QuerySet[IssuedDocument]:
    """Every document ever issued of ``obj``, newest first, without their bytes."""
    return _of(obj).select_related("supersession", "issued_by").defer("pdf", "data")


def current(obj: Model, kind: str) -> IssuedDocument | None:
    """The document of that kind that is in force, without its bytes."""
    return documents_of(obj).filter(kind=kind, supersession__isnull=True).first()


def response(document: IssuedDocument, *, user: Any, patient: str = "") -> HttpResponse:
    """The PDF as it was issued, to be downloaded; the calling view has decided that ``user`` may.

    The access log gets it as an export, under the ``patient`` whose file it is from: the one that
    the document's object states (``access_log_patient``), where the caller names none.
    A superseded one says so in its file name and the header ``X-Document-State``, not in its bytes.
    Refused (``document_damaged``), and recorded, where the bytes are not those that were issued.
    """
    pdf = bytes(document.pdf)
    with transaction.atomic(), acting(actor=user):
        damage = _damage(document, pdf)
        if damage:
            logger.error("document %s (%s) is damaged: %s", document.pk, document.number, damage)
            record("documents.found_damaged", document, data={"what": damage})
        else:
            whose = patient or _patient_of(document)
            log_access(Access.EXPORT, document, patient=whose, data={"sha256": document.sha256})
    if damage:
        raise Refused(
            _("This document is not as it was issued, so it is not handed out. Call support."),
            code="document_damaged",
        )
    superseded = is_superseded(document)
    name = re.sub(r"[^\w.-]+", "-", document.number) + ("-superseded" if superseded else "")
    return HttpResponse(
        pdf,
        content_type="application/pdf",
        headers={
            "Content-Disposition": content_disposition_header(True, f"{name}.pdf") or "",
            "Cache-Control": "no-store",
            "X-Document-State": "superseded" if superseded else "in-force",
        },
    )


def is_superseded(document: IssuedDocument) -> bool:
    """Whether the document is out of force."""
    return hasattr(document, "supersession")


# --- parts ----------------------------------------------------------------------------------------


def _of(obj: Model) -> QuerySet[IssuedDocument]:
    return IssuedDocument.objects.filter(
        object_type=obj._meta.label_lower,  # noqa: SLF001
        object_id=str(obj.pk),
    )


def _patient_of(document: IssuedDocument) -> str:
    """Whose file the document's object is part of; a query only where its model says."""
    try:
        model = apps.get_model(document.object_type)
    except (LookupError, ValueError):  # its module is gone
        return ""
    if not hasattr(model, "access_log_patient"):
        return ""
    return patient_of(model._base_manager.filter(pk=document.object_id).first())  # noqa: SLF001


def _lock(kind: str, obj: Model) -> None:
    """Until the transaction ends nobody else issues this kind of document of this object."""
    name = f"{kind} {obj._meta.label_lower} {obj.pk}"  # noqa: SLF001
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK_CLASS, name])


def _states_the_same(document: IssuedDocument, data: Mapping[str, Any], title: str) -> bool:
    asked = paper.complete(
        data,
        title=title,
        number=document.number,
        revision=document.revision,
        issued_at=document.issued_at,
    )
    return canonical(paper.facts(document.data)) == canonical(paper.facts(asked))


def _sealed(pdf: bytes, *, title: str) -> bytes:
    try:
        credentials = serverkeys.load_sealing()
    except serverkeys.ServerKeyError as error:
        logger.exception("nothing can be sealed")
        raise Refused(
            _("Documents cannot be issued now: a key of the server cannot be used. Call support."),
            code="server_key",
        ) from error
    return seal_pdf(
        pdf,
        credentials,
        reason=title,
        location=settings.PORTAL_BASE_URL,
        name=settings.PORTAL_NAME,
    )


def _supersede(document: IssuedDocument, reason: str) -> None:
    DocumentSupersession.objects.create(document=document, reason=reason)
    record("documents.superseded", document, data={"number": document.number}, reason=reason)


def _damage(document: IssuedDocument, pdf: bytes) -> str:
    """What is wrong with the bytes, or with the row around them; "" when nothing is."""
    sha256 = hashlib.sha256(pdf).hexdigest()
    if sha256 != document.sha256:
        return "its bytes are others than when it was issued"
    # The row may have been given another document's bytes together with their hash.
    issued = AuditEntry.objects.filter(
        action="documents.issued",
        object_type=document._meta.label_lower,  # noqa: SLF001
        object_id=str(document.pk),
    ).values_list("data__sha256", flat=True)
    if list(issued) != [sha256]:
        return "the audit trail has another hash for it"
    seal = verify_seal(pdf, serverkeys.load_sealing_certificates())
    return "" if seal is SealState.INTACT else f"its seal is {seal.value}"
