"""A record of personal data, and a form about it, as a module would have them."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from portal.access.masking import PersonalCharField, PersonalDateField
from portal.access.policies import AccessPolicy, ByDataScope, ByUnit
from portal.forms.models import Sheet
from portal.organisation.models import Unit
from portal.records.models import Record


class Patient(Record):
    name = PersonalCharField(max_length=100)
    born_on = PersonalDateField(null=True)
    number = models.CharField(max_length=20)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )

    access = AccessPolicy(
        view=("patients.view",),
        scopes={
            "patients.view": ByDataScope(owner="entered_by", unit="unit"),
            "patients.see_personal_data": ByUnit("unit"),
        },
        personal="patients.see_personal_data",
    )

    def __str__(self) -> str:
        return f"{self.number} {self.name}"


class PatientForm(Sheet):
    """A form about a patient, as a module would have one."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="forms")

    access = AccessPolicy(
        view=("patients.view", "patients.fill"),
        scopes={
            "patients.view": ByUnit("patient__unit"),
            "patients.fill": ByUnit("patient__unit"),
            "patients.see_personal_data": ByUnit("patient__unit"),
        },
        personal="patients.see_personal_data",
    )

    def __str__(self) -> str:
        return f"Form of {self.patient.number}"

    @property
    def access_log_patient(self) -> str:
        return self.patient.number
