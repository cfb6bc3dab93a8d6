"""The page that every document names in its foot: is this paper genuine and in force?"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from portal.documents.checking import check_pdf
from portal.documents.forms import CheckForm


@require_http_methods(["GET", "POST"])
def check(request: HttpRequest) -> HttpResponse:
    """For everybody who is logged in: they learn nothing of a document that they do not hold."""
    form = CheckForm(request.POST, request.FILES) if request.method == "POST" else CheckForm()
    checked = None
    if form.is_valid():
        checked = check_pdf(form.cleaned_data["pdf"].read())
    status = 422 if form.errors else 200
    context = {"form": form, "checked": checked}
    return render(request, "documents/check.html", context, status=status)
