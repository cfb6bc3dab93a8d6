"""Wagtail pages of the intranet. (Procedures, news and people come on the same footing.)"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel
from wagtail.fields import RichTextField
from wagtail.models import Page

from portal.access.decision import held_by
from portal.notifications.my_tasks import tasks_for
from portal.registry import registry


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
        context["panels"] = [
            {"title": panel.title, "code": panel.code, "html": html}
            for panel in registry.home_panels()
            if held_by(request.user).privileges() & set(panel.privileges)
            and (html := import_string(panel.render)(request)) is not None
        ]
        return context
