"""Passwords of external people: asked for by mail, chosen by a link that works once."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.views import INTERNAL_RESET_SESSION_TOKEN, PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from portal.accounts.forms import MailForm
from portal.accounts.models import User
from portal.accounts.rules import why_not_admitted
from portal.accounts.services.external import request_password_reset, set_password
from portal.records.errors import Refused


@login_not_required
@never_cache
def request_link(request: HttpRequest) -> HttpResponse:
    """The same answer whether there is such an account or not."""
    form = MailForm(request.POST or None)
    sent = request.method == "POST" and form.is_valid()
    if sent:
        request_password_reset(email=form.cleaned_data["email"])
    return render(
        request,
        "accounts/request_link.html",
        {"form": form, "sent": sent},
        status=422 if form.errors else 200,
    )


class ChoosePassword(PasswordResetConfirmView):
    """Django's own handling of the link; the writing is the service's."""

    template_name = "accounts/set_password.html"

    def get_user(self, uidb64: str) -> User | None:
        user = super().get_user(uidb64)
        if user is None or not user.is_external or why_not_admitted(user, timezone.localdate()):
            return None
        return user

    def form_valid(self, form: SetPasswordForm) -> HttpResponse:
        try:
            set_password(actor=self.user, password=form.cleaned_data["new_password1"])
        except Refused as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)
        del self.request.session[INTERNAL_RESET_SESSION_TOKEN]
        messages.success(self.request, _("Your password is set. Log in with it now."))
        return redirect("accounts:login")

    def form_invalid(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)
