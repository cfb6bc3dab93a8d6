"""What is written about a case beside its forms: protocol and its committee's comments (DR-035)."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext_lazy as _

from digital_review.models import Case
from digital_review.models.reach import MANAGE, SIGN_REVIEW
from digital_review.selectors.topics import announce_case
from portal.access.decision import can, visible
from portal.audit.services import Access, differences, log_access, record
from portal.records.errors import Refused
from portal.records.services import check_version, locked, writes


def may_write_protocol(user: Any, case: Case) -> bool:
    """Those who sign reviews, and the review manager."""
    return can(user, SIGN_REVIEW, case) or can(user, MANAGE, case)


@writes
def change_protocol(
    *,
    actor: Any,
    case_id: int,
    version: int,
    protocol: str,
    protocol_comment: str,
    reason: str,
) -> Case:
    """Write the protocol and the committee's comments, with a reason. StaleRecord when somebody
    else changed them since ``version``."""
    if not reason.strip():
        raise Refused(_("Say why it is changed."), code="reason_needed")
    cases = visible(actor, Case.objects.all()).select_related("patient", "review_type__unit")
    case = locked(cases, case_id)
    if not may_write_protocol(actor, case):
        raise PermissionDenied(MANAGE)
    sent = {"protocol": protocol.strip(), "protocol_comment": protocol_comment.strip()}
    opened = _opened(case, version)
    if any(getattr(opened, name) != getattr(case, name) for name in sent):
        # a case changes with every form: only changes of these fields matter
        check_version(case, version, sent)
    was = {name: getattr(case, name) for name in sent}
    if changed := differences(was, sent):
        for name, value in sent.items():
            setattr(case, name, value)
        case.save()
        record("digital_review.protocol_changed", case, data=changed)
        log_access(Access.CHANGE, case, patient=case.patient.number)
        announce_case(case, "protocol")
    return case


def _opened(case: Case, version: int) -> Any:
    """The case as it was when the page was opened."""
    return case.history.filter(version=version).first() or case
