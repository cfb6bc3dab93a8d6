"""What is typed about a slide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from digital_review.services.slides import SlideFacts
from portal.records.fields import AmountField


class SlideForm(forms.Form):
    """What is written about a slide."""

    label = forms.CharField(label=_("Label"), max_length=100)
    material = forms.CharField(
        label=_("Material"), max_length=100, required=False, help_text=_("Such as bone biopsy")
    )
    stain = forms.CharField(label=_("Stain"), max_length=100, required=False)
    location = forms.CharField(label=_("Where the glass is"), max_length=200, required=False)
    microns_per_pixel = AmountField(
        label=_("Size of a pixel (µm)"),
        required=False,
        help_text=_("Where the image does not say it itself; for the scale bar."),
    )

    def facts(self) -> SlideFacts:
        """The values of a valid form."""
        names = ("label", "material", "stain", "location", "microns_per_pixel")
        return SlideFacts(**{name: self.cleaned_data[name] for name in names})

    def clean_microns_per_pixel(self) -> float | None:
        value = self.cleaned_data["microns_per_pixel"]
        if value is not None and not 0 < value < 1000:
            raise forms.ValidationError(_("A pixel is between 0 and 1000 µm."))
        return value


class NewSlideForm(SlideForm):
    """With an image, or a link, or neither: then it is glass alone."""

    image = forms.FileField(
        label=_("Image"),
        required=False,
        help_text=_("A whole-slide image, or a picture: PNG, JPEG, TIFF."),
    )
    address = forms.URLField(
        label=_("Link to an image elsewhere"),
        required=False,
        max_length=500,
        assume_scheme="https",
    )

    field_order = ("label", "image", "address", "material", "stain", "location")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("image") and cleaned.get("address"):
            self.add_error("address", _("Give an image or a link, not both."))
        if (cleaned.get("address") or "https://").startswith("http://"):
            self.add_error("address", _("A link begins with https://."))
        return cleaned
