from celery import shared_task

from portal.accounts.services.external import suspend_inactive_accounts
from portal.accounts.services.sessions import end_timed_out_sessions


@shared_task
def suspend_inactive() -> int:
    """Daily: external accounts that expired or that nobody uses."""
    return suspend_inactive_accounts()


@shared_task
def end_sessions() -> int:
    """Every minute: sessions that timed out while nobody asked for a page."""
    return end_timed_out_sessions()
