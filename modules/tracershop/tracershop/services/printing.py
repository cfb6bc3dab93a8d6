"""What all of Tracershop's papers have in common: how they write, and the mark across them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from portal.operations.configuration import is_clinical

DOCUMENTS = Path(__file__).parent.parent / "documents"


def marked() -> dict[str, Any]:
    """``data.document`` of a paper that is made now: what is made while the configuration is not
    the signed one says across every page that it is not for clinical use (OP-005)."""
    return {} if is_clinical("tracershop") else {"mark": _("NOT FOR CLINICAL USE")}


def moment(value: datetime | None) -> str | None:
    """Day and time on the site's clock, as people of the active language write it."""
    return date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT") if value else None


def clock(value: datetime) -> str:
    return f"{timezone.localtime(value):%H:%M}"


def number(value: float | None, digits: int) -> str | None:
    """Rounded to ``digits`` decimals: Django's own formatting would cut the rest off."""
    if value is None:
        return None
    return number_format(
        round(value, digits), decimal_pos=digits, use_l10n=True, force_grouping=True
    )


def use_labels() -> dict[str, str]:
    """The words of use-block in parts.typ."""
    return {
        "use": _("Intended use"),
        "use_human": _("HUMAN USE"),
        "use_human_note": _("Released for use in humans"),
        "use_preclinical": _("PRECLINICAL USE"),
        "use_preclinical_note": _("NOT FOR HUMANS"),
    }


def use_of(intended_use: str) -> str:
    """Human or not: everything else is preclinical."""
    return "human" if intended_use == "human" else "preclinical"
