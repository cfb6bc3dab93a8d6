"""*My tasks*, one's messages, and how one wants to be told. Everything here is one's own."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Case, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from portal.access.acts import ask
from portal.access.decision import require, visible
from portal.access.forms import ReasonForm
from portal.notifications import outbox as mailbox
from portal.notifications import services
from portal.notifications.models import Notification, NotificationChoice, OutboxMail
from portal.notifications.my_tasks import tasks_for
from portal.notifications.outbox import MAX_ATTEMPTS
from portal.notifications.outbox import SEE as SEE_OUTBOX

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
    """A field for each level of message."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for level, label in Notification.Level.choices:
            self.fields[level] = forms.ChoiceField(
                label=capfirst(label),
                choices=NotificationChoice.Mail.choices,
                widget=forms.RadioSelect,
            )


def choices(request: HttpRequest) -> HttpResponse:
    """Which messages one also wants by mail, and how."""
    sent = request.POST if request.method == "POST" else None
    form = ChoiceForm(sent, initial=services.choices_of(request.user))
    if form.is_valid():
        services.choose_mail(actor=request.user, choices=form.cleaned_data)
        messages.success(request, _("Your choice is saved."))
        return redirect("notifications:choices")
    context = {"form": form, "digest_at": settings.PORTAL_DIGEST_AT}
    return render(
        request, "notifications/choices.html", context, status=422 if form.is_bound else 200
    )


# --- the operators' outbox -----------------------------------------------------------------------


class OutboxFilter(forms.Form):
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[("", gettext_lazy("All")), *OutboxMail.State.choices],
    )


@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """Every mail and what became of it; what was given up stands on top."""
    require(request.user, SEE_OUTBOX)
    form = OutboxFilter(request.GET)
    state = form.cleaned_data["state"] if form.is_valid() else ""
    mails = visible(request.user, OutboxMail.objects.all())
    if state:
        mails = mails.filter(state=state)
    mails = mails.order_by(Case(When(state=OutboxMail.State.GIVEN_UP, then=0), default=1), "-pk")
    context = {
        "form": form,
        "filtered": bool(state),
        "page": Paginator(mails, PAGE_LENGTH).get_page(request.GET.get("page")),
        "most": MAX_ATTEMPTS,
    }
    return render(request, "notifications/outbox.html", context)


@require_POST
def retry_mail(request: HttpRequest, pk: int) -> HttpResponse:
    mailbox.retry_mail(actor=request.user, mail_id=pk)
    messages.success(request, _("The mail is tried again."))
    return redirect("notifications:outbox")


def give_up_mail(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, SEE_OUTBOX)
    mail = get_object_or_404(visible(request.user, OutboxMail.objects.all()), pk=pk)
    return ask(
        request,
        ReasonForm(request.POST or None),
        partial(mailbox.give_up_mail, actor=request.user, mail_id=mail.pk),
        title=_("Give up the mail to %(address)s") % {"address": mail.to},
        words=_("“%(subject)s” is not tried any more.") % {"subject": mail.subject},
        back=reverse("notifications:outbox"),
        danger=True,
    )
