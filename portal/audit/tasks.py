from celery import shared_task
from django.utils import timezone

from portal.audit.anchors import write_anchors
from portal.audit.verification import verify_all, whole_is_due
from portal.records.context import ServiceActor, acting


@shared_task
def verify_and_anchor() -> None:
    """Nightly: verify the logs (whole, or what was added), then anchor the sound heads outside."""
    with acting(actor=ServiceActor("audit")):
        faults = verify_all(whole=whole_is_due(timezone.now()))
        if faults:
            raise RuntimeError("; ".join(str(fault) for fault in faults[:10]))
        write_anchors()
