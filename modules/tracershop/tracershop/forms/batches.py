"""Forms of a batch: what is said of it, its results, and which batches the list shows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.records.fields import AmountField, ClockField, DateInput
from tracershop.models import Batch, ProductionRun, Tracer
from tracershop.rules.moments import local_moment
from tracershop.selectors.batches import TestAndResult, proposed_calibration
from tracershop.selectors.schedule import site_zone
from tracershop.services.batches import BatchData, ResultEntry


class BatchForm(forms.Form):
    """What is said of a batch; a new one also says of which lot and tracer."""

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    lot = forms.CharField(label=_("Lot"), max_length=40, help_text="PREFIX-yymmdd-n")
    tracer = forms.ModelChoiceField(queryset=None, label=_("Tracer"))
    run = forms.ModelChoiceField(queryset=None, label=_("Run"), required=False)
    calibrated_on = forms.DateField(label=_("Calibrated on"), widget=DateInput, required=False)
    calibrated_clock = ClockField(label=_("at"), required=False)
    activity_mbq = AmountField(label=_("Activity at calibration (MBq)"), required=False)
    volume_ml = AmountField(label=_("Volume (ml)"), required=False)
    expires_on = forms.DateField(
        label=_("Expires on"),
        widget=DateInput,
        required=False,
        help_text=_("Left empty: calibration and the tracer's shelf life."),
    )
    expires_clock = ClockField(label=_("at"), required=False)
    reason = forms.CharField(
        label=_("Reason"), max_length=500, help_text=_("Stands in the audit trail.")
    )

    def __init__(self, *args: Any, batch: Batch | None = None, **options: Any) -> None:
        if batch is not None:
            options["initial"] = _initial(batch)
        super().__init__(*args, **options)
        runs = ProductionRun.objects.select_related("tracer").order_by(
            "tracer__name", "weekday", "ends_at"
        )
        if batch is None:
            self.fields["tracer"].queryset = Tracer.objects.order_by("name")  # type: ignore[attr-defined]
            del self.fields["reason"]
        else:
            runs = runs.filter(tracer=batch.tracer_id)
            del self.fields["lot"], self.fields["tracer"]
        self.fields["run"].queryset = runs  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        for day, clock in (("calibrated_on", "calibrated_clock"), ("expires_on", "expires_clock")):
            given = [self.cleaned_data.get(name) for name in (day, clock)]
            if any(given) and not all(given) and not {day, clock} & set(self.errors):
                self.add_error(clock, _("Give both the day and the time, or neither."))
        return self.cleaned_data

    def data_given(self) -> BatchData:
        values = self.cleaned_data
        run = values["run"]
        return BatchData(
            run_id=run.pk if run else None,
            calibrated_at=self._moment("calibrated"),
            activity_mbq=values["activity_mbq"],
            volume_ml=values["volume_ml"],
            expires_at=self._moment("expires"),
        )

    def _moment(self, name: str) -> datetime | None:
        day = self.cleaned_data[f"{name}_on"]
        clock = self.cleaned_data[f"{name}_clock"]
        return local_moment(clock, day, site_zone()) if day and clock else None


def _initial(batch: Batch) -> dict[str, Any]:
    """As it is; the calibration that nobody has given is proposed from the run."""
    values: dict[str, Any] = {
        "version": batch.version,
        "run": batch.run_id,
        "activity_mbq": batch.activity_mbq,
        "volume_ml": batch.volume_ml,
    }
    for name, moment in (
        ("calibrated", batch.calibrated_at or proposed_calibration(batch)),
        ("expires", batch.expires_at),
    ):
        if moment is not None:
            local = timezone.localtime(moment)
            values |= {f"{name}_on": local.date(), f"{name}_clock": local.time()}
    return values


class ResultsForm(forms.Form):
    """Every test of the batch in one form; what is left empty has no result yet."""

    reason = forms.CharField(
        label=_("Reason for a correction"),
        max_length=500,
        required=False,
        help_text=_("Only where a result that stands already is changed."),
    )

    def __init__(self, *args: Any, pairs: Iterable[TestAndResult], **options: Any) -> None:
        super().__init__(*args, **options)
        self.pairs = [(test, result) for test, result in pairs if test.deleted_at is None]
        for test, result in self.pairs:
            self.fields[f"result-{test.pk}"] = (
                AmountField(label=test.name, required=False, initial=result and result.value)
                if test.is_numeric
                else forms.ChoiceField(
                    label=test.name,
                    required=False,
                    choices=[("", "–"), ("passed", _("complies")), ("failed", _("failed"))],
                    initial=("passed" if result.passed else "failed") if result else "",
                )
            )
            self.fields[f"comment-{test.pk}"] = forms.CharField(
                label=_("Comment"),
                required=False,
                max_length=500,
                initial=result.comment if result else "",
            )
            # in a table, whose heads say to sighted people what these are
            for name, label in (("result", test.name), ("comment", _("Comment on %(test)s"))):
                widget = self.fields[f"{name}-{test.pk}"].widget
                said = label if name == "result" else label % {"test": test.name}
                widget.attrs |= {"aria-label": said, "class": "input"}

    def rows(self) -> list[dict[str, Any]]:
        """The tests with their fields, for the page."""
        return [
            {
                "test": test,
                "result": result,
                "given": self[f"result-{test.pk}"],
                "comment": self[f"comment-{test.pk}"],
            }
            for test, result in self.pairs
        ]

    def entries(self) -> list[ResultEntry]:
        """What was filled in."""
        found = []
        for test, _result in self.pairs:
            given = self.cleaned_data[f"result-{test.pk}"]
            comment = self.cleaned_data[f"comment-{test.pk}"]
            if given in (None, ""):
                continue
            found.append(
                ResultEntry(test.pk, value=given, comment=comment)
                if test.is_numeric
                else ResultEntry(test.pk, passed=given == "passed", comment=comment)
            )
        return found


class BatchFilterForm(forms.Form):
    """Which batches the list shows. A wrong value in the address is left out, and said."""

    first = forms.DateField(label=_("From"), required=False, widget=DateInput)
    last = forms.DateField(label=_("Until and including"), required=False, widget=DateInput)
    tracer = forms.ModelChoiceField(
        label=_("Tracer"), queryset=None, required=False, empty_label=_("All")
    )
    status = forms.ChoiceField(
        label=_("Status"), required=False, choices=[("", _("All")), *Batch.Status.choices]
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["tracer"].queryset = Tracer.objects.order_by("name")  # type: ignore[attr-defined]

    def chosen(self) -> dict[str, Any]:
        """The values that are given and right."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}
