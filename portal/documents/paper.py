"""What the house prints around a document: its head and foot, and every fixed word (house.typ)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

# What issue() decides itself; all else of `document` is the caller's.
_OWN = ("number", "version", "issued_at", "issued_at_text", "verify_url")


@contextmanager
def document_language() -> Iterator[str]:
    """Documents are issued in the site's language, whoever presses the button.

    A module makes its data within this block: labels, dates and numbers.
    """
    with translation.override(settings.LANGUAGE_CODE):
        yield settings.LANGUAGE_CODE


def complete(
    data: Mapping[str, Any], *, title: str, number: str, revision: int, issued_at: datetime
) -> dict[str, Any]:
    """``data`` with the ``document`` and ``labels`` that the house needs; the caller's go first."""
    local = timezone.localtime(issued_at)
    with document_language() as language:
        document = {
            "organisation": settings.PORTAL_NAME,
            "lang": language,
            **data.get("document", {}),
            "title": title,
            "number": number,
            "version": revision,
            "issued_at": issued_at,
            "issued_at_text": f"{date_format(local, 'SHORT_DATE_FORMAT')} {local:%H:%M %Z}",
            "verify_url": settings.PORTAL_BASE_URL + reverse("documents:check"),
        }
        labels = {**house_labels(), **data.get("labels", {})}
    return {**data, "document": document, "labels": labels}


def facts(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a document states, without when and as which revision it was printed, nor its labels.

    A new release of the portal may word a label otherwise: no reason to issue anything anew.
    """
    document = {key: value for key, value in data["document"].items() if key not in _OWN}
    stated = {key: value for key, value in data.items() if key != "labels"}
    return {**stated, "document": document}


def house_labels() -> dict[str, str]:
    """The words of house.typ and its signature block, in the active language."""
    return {
        "version": _("Version"),
        "issued_at": _("Issued"),
        "page": _("Page"),
        "of": _("of"),
        "verify_at": _("Check this document at"),
        "data_sha256": _("SHA-256 of the data"),
        "printed_name": _("Signed by"),
        "meaning": _("Meaning"),
        "signed_at": _("Signed at (UTC)"),
        "signed_at_local": _("Signed at (local time)"),
        "signing_key": _("Signing key"),
        "signing_method": _("Signed with"),
        "signed_digest": _("SHA-256 of what was signed"),
        "countersign_key": _("Counter-signed with"),
    }
