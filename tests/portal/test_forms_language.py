"""Numbers, times and days are typed as the person's language has them, in every form (PT-046)."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from django import forms
from django.utils import translation

import portal
from portal.records.fields import AmountField, ClockField, DateInput
from portal.registry import registry

pytestmark = pytest.mark.requirement("PT-046")


def every_form() -> Iterator[type[forms.BaseForm]]:
    """Every form class of the portal and the installed modules."""
    packages = [portal, *(module.module for module in registry.installed_modules())]
    for package in packages:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "form" in found.name or ".views" in found.name:
                importlib.import_module(found.name)
    names = tuple(f"{package.__name__}." for package in packages)
    waiting = [forms.BaseForm]
    while waiting:
        for each in waiting.pop().__subclasses__():
            waiting.append(each)
            if each.__module__.startswith(names):
                yield each


def test_no_form_has_a_field_that_knows_one_language_only() -> None:
    found = list(every_form())
    assert len(found) > 20
    wrong = []
    for form in found:
        for name, field in getattr(form, "base_fields", {}).items():
            place = f"{form.__module__}.{form.__name__}.{name}"
            if isinstance(field, (forms.FloatField, forms.DecimalField)):
                wrong.append(f"{place}: use AmountField")
            if isinstance(field, forms.TimeField):
                wrong.append(f"{place}: use ClockField")
            if isinstance(field, forms.DateField) and not isinstance(field.widget, DateInput):
                wrong.append(f"{place}: use DateInput")
    assert wrong == []


class Typed(forms.Form):
    amount = AmountField()
    clock = ClockField()
    day = forms.DateField(widget=DateInput)


@pytest.mark.parametrize("language", ["da", "nl", "cs", "en"])
@pytest.mark.parametrize("amount", ["1234.5", "1234,5", "1 234,5", "1\u202f234.5"])
def test_comma_and_point_are_understood_in_every_language(language: str, amount: str) -> None:
    with translation.override(language):
        form = Typed({"amount": amount, "clock": "9.30", "day": "2026-11-22"})
        assert form.is_valid(), form.errors
    assert form.cleaned_data["amount"] == 1234.5
    assert f"{form.cleaned_data['clock']:%H:%M}" == "09:30"
    assert f"{form.cleaned_data['day']:%Y-%m-%d}" == "2026-11-22"


@pytest.mark.parametrize(
    ("language", "day"),
    [("da", "22-11-2026"), ("nl", "22-11-2026"), ("cs", "22. 11. 2026"), ("en", "22/11/2026")],
)
def test_a_day_that_is_typed_by_hand_is_read_as_the_language_writes_it(
    language: str, day: str
) -> None:
    with translation.override(language):
        form = Typed({"amount": "1", "clock": "09:30", "day": day})
        assert form.is_valid(), form.errors
    assert f"{form.cleaned_data['day']:%Y-%m-%d}" == "2026-11-22"


@pytest.mark.parametrize(("language", "shown"), [("da", "12,5"), ("cs", "12,5"), ("en", "12.5")])
def test_a_number_is_shown_again_as_the_language_writes_it(language: str, shown: str) -> None:
    with translation.override(language):
        assert f'value="{shown}"' in str(Typed(initial={"amount": 12.5})["amount"])
