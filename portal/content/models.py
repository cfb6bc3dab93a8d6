"""Wagtail pages of the intranet. (Procedures, news and people come on the same footing.)"""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel
from wagtail.fields import RichTextField
from wagtail.models import Page

from portal.access.decision import can, held_by
from portal.notifications.my_tasks import tasks_for
from portal.notifications.services import person_topic
from portal.registry import registry

logger = logging.getLogger(__name__)


class HomePage(Page):
    """What must I do, what is new, what is wrong now?"""

    introduction = RichTextField(_("introduction"), blank=True, features=["bold", "link", "ul"])

    content_panels = [*Page.content_panels, FieldPanel("introduction")]
    template = "content/home.html"
    max_count = 1

    class Meta:
        verbose_name = _("home page")

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context(request, *args, **kwargs)
        context["task_groups"] = tasks_for(request.user)
        context["topic"] = person_topic(request.user)
        context["sees_status"] = can(request.user, "operations.see_status")
        context["panels"] = home_panels(request)
        return context


def home_panels(request: HttpRequest) -> list[dict[str, Any]]:
    """The modules' panels for this person. One that fails says so and leaves the others alone."""
    held = held_by(request.user).privileges()
    panels = []
    for panel in registry.home_panels():
        if panel.privileges and not held & set(panel.privileges):
            continue
        shown = {"title": panel.title, "code": panel.code}
        try:
            with transaction.atomic():
                html = import_string(panel.render)(request)
        except Exception:
            logger.exception("home panel %s failed", panel.code)
            panels.append({**shown, "failed": True})
            continue
        if html is not None:
            panels.append({**shown, "html": html})
    return panels
