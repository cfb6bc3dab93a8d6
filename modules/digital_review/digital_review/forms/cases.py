"""What people type about cases and their forms. Services decide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from digital_review.selectors.case_forms import STATUSES
from portal.organisation.models import Unit
from portal.records.fields import DateInput


class FormFilter(forms.Form):
    """Which forms the list shows. A wrong value in the address is left out, and said."""

    status = forms.ChoiceField(label=_("Show"), required=False, choices=STATUSES)
    slot = forms.ChoiceField(label=_("Form"), required=False)
    hospital = forms.ModelChoiceField(
        label=_("Hospital"), queryset=None, required=False, empty_label=_("All")
    )
    number = forms.CharField(label=_("Patient number"), required=False, max_length=30)

    def __init__(self, *args: Any, hospitals: Any, titles: list[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["hospital"].queryset = hospitals  # type: ignore[attr-defined]
        self.fields["slot"].choices = [("", _("All")), *((each, each) for each in titles)]  # type: ignore[attr-defined]
        if len(hospitals) < 2:
            del self.fields["hospital"]

    def chosen(self) -> dict[str, Any]:
        """The values that are given and right."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


class NumberForm(forms.Form):
    """Whom to begin with, by number: equal initials are common (DR-144)."""

    review_type = forms.ModelChoiceField(label=_("Review"), queryset=None, empty_label=None)
    number = forms.CharField(
        label=_("Patient number"),
        max_length=60,
        help_text=_("The number in the registry. Names and initials are not searched for."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, review_types: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["review_type"].queryset = review_types  # type: ignore[attr-defined]
        if len(review_types) == 1:
            self.fields["review_type"].initial = review_types[0].pk


class PatientForm(forms.Form):
    """What is typed of a patient while the registry does not answer."""

    initials = forms.CharField(label=_("Initials"), max_length=20)
    born_on = forms.DateField(label=_("Date of birth"), widget=DateInput)
    hospital = forms.ModelChoiceField(label=_("Hospital"), queryset=None)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["hospital"].queryset = hospitals()  # type: ignore[attr-defined]


class HospitalForm(forms.Form):
    """The hospital alone, where the registry names one that the portal does not know."""

    hospital = forms.ModelChoiceField(label=_("Hospital"), queryset=None)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["hospital"].queryset = hospitals()  # type: ignore[attr-defined]


def hospitals() -> Any:
    return Unit.objects.open().filter(kind=Unit.Kind.HOSPITAL).order_by("name")


class AskForm(forms.Form):
    """What the hospital is asked for."""

    what = forms.CharField(
        label=_("What is asked for"),
        max_length=200,
        help_text=_("Such as: a new biopsy, two smears of the marrow, the clinical letter."),
    )


class FollowUpForm(forms.Form):
    """Which follow-up, and by when."""

    due_on = forms.DateField(label=_("To be filled in by"), required=False, widget=DateInput)


class ScanForm(forms.Form):
    """The signed paper original."""

    scan = forms.FileField(
        label=_("Scan of the signed paper"),
        help_text=_("PDF, PNG or JPEG, at most 20 MB."),
        widget=forms.ClearableFileInput(attrs={"accept": ".pdf,.png,.jpg,.jpeg"}),
    )
