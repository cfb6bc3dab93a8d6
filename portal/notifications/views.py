"""*My tasks*, one's messages, and how one wants to be told. Everything here is one's own."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from portal.notifications import services
from portal.notifications.models import Notification
from portal.notifications.my_tasks import tasks_for

PAGE_LENGTH = 25


@require_safe
def tasks(request: HttpRequest) -> HttpResponse:
    return render(request, "notifications/tasks.html", _tasks(request))


@require_safe
def task_list(request: HttpRequest) -> HttpResponse:
    """The list alone, asked for anew when something changed."""
    return render(request, "notifications/task_list.html", _tasks(request))


def _tasks(request: HttpRequest) -> dict[str, Any]:
    return {"groups": tasks_for(request.user), "topic": services.person_topic(request.user)}


@require_safe
def task_count(request: HttpRequest) -> HttpResponse:
    return render(request, "base/task_count.html")


@require_safe
def unread_count(request: HttpRequest) -> HttpResponse:
    return render(request, "base/notification_count.html")


@require_safe
def notifications(request: HttpRequest) -> HttpResponse:
    """One's messages, newest first; htmx asks for the list alone when there is a new one."""
    mine = Notification.objects.filter(user=request.user).order_by("-created_at", "-pk")
    context = {
        "page": Paginator(mine, PAGE_LENGTH).get_page(request.GET.get("page")),
        "unread": services.unread_count(request.user),
        "topic": services.person_topic(request.user),
    }
    part = "notifications/message_list.html"
    return render(request, part if request.htmx else "notifications/messages.html", context)


@require_POST
def mark_read(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark it read, and go where it leads."""
    services.mark_read(actor=request.user, notification_id=pk)
    url = request.POST.get("next", "")
    known = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    # a bare word would be taken for the name of a page
    return redirect(url if known and "/" in url else "notifications:list")


@require_POST
def mark_all_read(request: HttpRequest) -> HttpResponse:
    services.mark_all_read(actor=request.user)
    return redirect("notifications:list")


class ChoiceForm(forms.Form):
    levels = forms.MultipleChoiceField(
        label=gettext_lazy("Mail me about"),
        help_text=gettext_lazy(
            "A mail holds only a link. On the screen every message is shown anyway."
        ),
        choices=Notification.Level.choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )


def choices(request: HttpRequest) -> HttpResponse:
    """Which messages one also wants by mail."""
    chosen = [level for level, by_mail in services.choices_of(request.user).items() if by_mail]
    sent = request.POST if request.method == "POST" else None
    form = ChoiceForm(sent, initial={"levels": chosen})
    if form.is_valid():
        services.choose_mail(actor=request.user, levels=form.cleaned_data["levels"])
        messages.success(request, _("Your choice is saved."))
        return redirect("notifications:choices")
    status = 422 if form.is_bound else 200
    return render(request, "notifications/choices.html", {"form": form}, status=status)


@require_POST
def retry_mail(request: HttpRequest, pk: int) -> HttpResponse:
    services.retry_mail(actor=request.user, mail_id=pk)
    messages.success(request, _("The mail is tried again."))
    return redirect("operations:status")
