from celery import shared_task

from portal.accounts.services.inactivity import suspend_inactive_accounts
from portal.accounts.services.provider_logout import forget_used_tokens
from portal.accounts.services.sessions import end_timed_out_sessions


@shared_task
def suspend_inactive() -> int:
    """Daily: accounts that expired or that nobody uses, after a warning."""
    return suspend_inactive_accounts()


@shared_task
def end_sessions() -> int:
    """Every minute: sessions that timed out, or whose account closed or expired."""
    return end_timed_out_sessions()


@shared_task
def forget_tokens() -> int:
    """Hourly: logout tokens too old to be taken again."""
    return forget_used_tokens()
