"""A vial typed by a person (TS-063). What it may be is decided by services."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.records.fields import AmountField, ClockField, DateInput
from portal.records.merging import Mergeable
from tracershop.models import Vial
from tracershop.rules.moments import local_moment
from tracershop.services.manual_vials import VialValues


class VialForm(Mergeable):
    """One vial. Days and times are the site's; a time that was not touched keeps its seconds."""

    lot = forms.CharField(label=_("Lot"), max_length=40, help_text="PREFIX-yymmdd-n")
    customer = forms.ModelChoiceField(label=_("Customer"), queryset=None)
    filled_on = forms.DateField(label=_("Filled on"), widget=DateInput)
    filled_clock = ClockField(label=_("Filled at"))
    activity_mbq = AmountField(label=_("Activity at fill (MBq)"))
    volume_ml = AmountField(label=_("Volume (ml)"))
    expires_on = forms.DateField(label=_("Use before, day"), widget=DateInput, required=False)
    expires_clock = ClockField(label=_("Use before, time"), required=False)
    position = forms.CharField(label=_("Position"), required=False, max_length=40)
    reason = forms.CharField(
        label=_("Reason"), max_length=500, help_text=_("It stands in the audit trail.")
    )

    def __init__(
        self, *args: Any, customers: Any, zone: ZoneInfo, vial: Vial | None = None, **options: Any
    ) -> None:
        self.zone, self.vial = zone, vial
        if vial is not None:
            options["initial"] = self._initial_of(vial)
        super().__init__(*args, **options)
        self.fields["customer"].queryset = customers  # type: ignore[attr-defined]
        if vial is None:
            del self.fields["version"]
        else:
            self.fields["version"].required = True

    def _initial_of(self, vial: Vial) -> dict[str, Any]:
        filled_at = vial.filled_at.astimezone(self.zone)
        initial = {
            "version": vial.version,
            "lot": vial.lot,
            "customer": vial.customer_id,
            "filled_on": filled_at.date(),
            "filled_clock": filled_at.time(),
            "activity_mbq": vial.activity_mbq,
            "volume_ml": vial.volume_ml,
            "position": vial.position,
        }
        if vial.expires_at:
            expires_at = vial.expires_at.astimezone(self.zone)
            initial |= {"expires_on": expires_at.date(), "expires_clock": expires_at.time()}
        return initial

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if bool(data.get("expires_on")) != bool(data.get("expires_clock")):
            missing = "expires_clock" if data.get("expires_on") else "expires_on"
            if missing not in self.errors:
                self.add_error(missing, _("Give both the day and the time, or neither."))
        return data

    @property
    def values(self) -> VialValues:
        data = self.cleaned_data
        filled_at = self._moment("filled", self.vial.filled_at if self.vial else None)
        if filled_at is None:
            raise ValueError("the form is not valid")
        return VialValues(
            lot=data["lot"],
            customer_id=data["customer"].pk,
            filled_at=filled_at,
            activity_mbq=data["activity_mbq"],
            volume_ml=data["volume_ml"],
            expires_at=self._moment("expires", self.vial.expires_at if self.vial else None),
            position=data["position"],
        )

    def _moment(self, name: str, before: datetime | None) -> datetime | None:
        """The moment that day and clock say; as it was where they say the same as before."""
        day, clock = self.cleaned_data[f"{name}_on"], self.cleaned_data[f"{name}_clock"]
        if day is None or clock is None:
            return None
        if before is not None:
            local = before.astimezone(self.zone)
            same_minute = (local.hour, local.minute) == (clock.hour, clock.minute)
            if local.date() == day and same_minute:
                return before
        return local_moment(clock, day, self.zone)
