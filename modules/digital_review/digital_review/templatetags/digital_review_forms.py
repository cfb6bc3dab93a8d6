"""What stands beside a form of a case."""

from __future__ import annotations

from typing import Any

from django import template

from digital_review.models import CaseForm
from digital_review.services.telling import form_path, undelivered
from portal.notifications.models import OutboxMail

register = template.Library()


@register.simple_tag
def undelivered_mail(form: CaseForm) -> list[OutboxMail]:
    """Notices of this form that could not be sent so far (UC4)."""
    return undelivered(form_path(form))


@register.filter
def not_authentic(verdicts: list[Any]) -> list[Any]:
    """The signatures that do not stand for what is read now (DR-115)."""
    return [each for each in verdicts if each.state not in ("valid", "superseded")]
