"""The filter of the list of patients in review."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class OverviewForm(forms.Form):
    """Which patients the list shows. A wrong value in the address is left out, and said."""

    text = forms.CharField(
        label=_("Number or initials"),
        required=False,
        max_length=30,
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    review_type = forms.ModelChoiceField(
        label=_("Review type"), queryset=None, required=False, empty_label=_("All")
    )
    hospital = forms.ModelChoiceField(
        label=_("Hospital"), queryset=None, required=False, empty_label=_("All")
    )
    state = forms.ChoiceField(label=_("State"), required=False)

    def __init__(
        self,
        *args: Any,
        review_types: Any,
        hospitals: Any,
        states: list[tuple[str, str]],
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.fields["review_type"].queryset = review_types  # type: ignore[attr-defined]
        self.fields["hospital"].queryset = hospitals  # type: ignore[attr-defined]
        self.fields["state"].choices = [("", _("All")), *states]  # type: ignore[attr-defined]

    def chosen(self) -> dict[str, Any]:
        """The values that are given and right."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}
