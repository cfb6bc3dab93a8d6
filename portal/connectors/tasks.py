from celery import shared_task
from django.utils import timezone

from portal.connectors import services
from portal.connectors.services import alerting, probing, room, writing
from portal.records.context import ServiceActor, acting

ACTOR = ServiceActor("outside systems")


@shared_task
def refresh_answer(system: str, resource: str, key: str) -> None:
    """Ask a system anew for a value that is kept."""
    with acting(actor=ACTOR):
        services.refresh(system, resource, key)


@shared_task
def deliver(system: str, at_once: bool) -> None:  # noqa: FBT001 a task has no names
    """Send what waits to be written to a system."""
    with acting(actor=ACTOR):
        writing.deliver_waiting(system, at_once=at_once)


@shared_task
def deliver_all() -> None:
    """The sweeper: whatever is due, for all systems; what nobody could be asked to send."""
    with acting(actor=ACTOR):
        for system in writing.systems_with_waiting():
            writing.deliver_waiting(system)


@shared_task
def look_after() -> None:
    """Try the systems that were away, tell operators what needs them."""
    with acting(actor=ACTOR):
        probing.probe_those_away()
        alerting.alert_operators()


@shared_task
def tidy() -> None:
    """Remove what is kept beyond its time or room."""
    with acting(actor=ACTOR):
        now = timezone.now()
        room.forget_unused(now)
        room.make_room()
        room.forget_payloads(now)
