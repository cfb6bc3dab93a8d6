"""Forms of the pages about designs: new ones, and acts with their reason."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from portal.access.forms import ReasonForm, UnitField
from portal.forms.rules.definition import CODE
from portal.forms.selectors_designs import area_labels

_LANGUAGES = dict(settings.LANGUAGES)


def language_name(code: str) -> str:
    """What the portal calls a language; its code where the portal does not speak it."""
    return str(_LANGUAGES.get(code, code))


class WhereForm(forms.Form):
    """Whose a design is, and what uses it."""

    unit = UnitField(label=_("Unit"))
    area = forms.ChoiceField(label=_("Used by"))

    def __init__(self, *args: Any, units: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["unit"].queryset = units  # type: ignore[attr-defined]
        areas = list(area_labels().items())
        self.fields["area"].choices = areas  # type: ignore[attr-defined]
        if len(areas) == 1:
            self.fields["area"].initial = areas[0][0]
        if len(units) == 1:
            self.fields["unit"].initial = units[0]


class CodeField(forms.CharField):
    """A code, as rules and exports name the design."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("label", _("Code"))
        options.setdefault(
            "help_text", _("A letter, then letters, digits and _. It stays as it is for good.")
        )
        super().__init__(max_length=64, **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if text and not CODE.fullmatch(text):
            raise ValidationError(_("Begin with a letter, then letters, digits and _."))
        return text


class NewForm(WhereForm):
    code = CodeField()
    title = forms.CharField(label=_("Title"), max_length=200)
    languages = forms.MultipleChoiceField(
        label=_("Languages"),
        choices=list(settings.LANGUAGES),
        widget=forms.CheckboxSelectMultiple,
        initial=[settings.LANGUAGE_CODE],
        help_text=_("Every text of it is given in each; more can be added later."),
    )


class PublishForm(ReasonForm):
    """Publishes what its person has seen: the draft as it was when they were asked."""

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)


class CopyForm(WhereForm):
    code = CodeField()
    title = forms.CharField(label=_("Title"), max_length=200)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        del self.fields["area"]  # a copy is used where its original is


class ImportForm(WhereForm):
    file = forms.FileField(
        label=_("File"),
        help_text=_("A JSON file that was exported here or in another portal."),
        widget=forms.ClearableFileInput(attrs={"accept": ".json,application/json"}),
    )
    code = CodeField(required=False, help_text=_("Empty: the one in the file."))
    title = forms.CharField(
        label=_("Title"), max_length=200, required=False, help_text=_("Empty: the one in the file.")
    )
