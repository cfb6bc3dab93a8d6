import logging

from celery import shared_task

from portal.records.context import ServiceActor, acting
from portal.signing.services import alert_auditors, verify_all

logger = logging.getLogger(__name__)


@shared_task
def verify_signatures() -> None:
    """Nightly: every signature against the rows as they are; auditors hear what is wrong."""
    with acting(actor=ServiceActor("signature verification")):
        outcome = verify_all()
        if outcome.faults:
            logger.error("%d signatures are not sound: %s", len(outcome.faults), outcome.faults[0])
            alert_auditors(outcome)
