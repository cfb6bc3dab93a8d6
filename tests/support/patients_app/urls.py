"""The portal's addresses, and the pages of the patients' forms: ``ROOT_URLCONF`` of their tests."""

from __future__ import annotations

from typing import Any

from django.urls import include, path

from portal.access.decision import require
from portal.config.urls import handler403, handler404, handler500
from portal.config.urls import urlpatterns as portal_urls
from portal.forms.services.sheets import SheetRules
from portal.forms.views.sheets import SheetPage, sheet_urls
from tests.support.patients_app.models import PatientForm

__all__ = ["handler403", "handler404", "handler500", "urlpatterns"]


def require_fill(actor: Any, sheet: PatientForm) -> None:
    require(actor, "patients.fill", sheet)


RULES = SheetRules(
    model=PatientForm,
    require_fill=require_fill,
    topic=lambda sheet: f"patients/form/{sheet.pk}",
)
PAGE = SheetPage(
    name="form",
    rules=RULES,
    related=("patient",),
    crumbs=lambda sheet: [("Patients", "/")],
    facts=lambda sheet: [("Patient", sheet.patient.number), ("Name", sheet.patient.name)],
)

# before the portal's: the last of those takes every address that is left
urlpatterns = [
    path("patients/", include((sheet_urls(PAGE, "forms/"), "patients"))),
    *portal_urls,
]
