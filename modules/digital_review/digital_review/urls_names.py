"""Addresses that several views lead to."""

from django.urls import reverse


def case_tab_url(case_id: int, tab: str) -> str:
    """The patient's page with one of its tabs open."""
    return f"{reverse('digital_review:case', args=[case_id])}?tab={tab}"
