"""Slides of a case: where the glass is, a link, a still image, a whole image cut into tiles."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from digital_review.models.cases import Case
from digital_review.models.meetings import to_person
from digital_review.models.reach import PATHOLOGY, case_policy
from portal.records.models import Record


class Slide(Record):
    """One glass slide (coupe), with what there is of it on a screen (DR-040, DR-041, DR-042)."""

    class Kind(models.TextChoices):
        GLASS = "glass", _("glass only")
        LINK = "link", _("link")
        IMAGE = "image", _("image")

    class Tiles(models.TextChoices):
        NONE = "none", _("none")
        WAITING = "waiting", _("being cut")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="slides")
    label = models.CharField(_("label"), max_length=100)
    material = models.CharField(_("material"), max_length=100, blank=True)
    stain = models.CharField(_("stain"), max_length=100, blank=True)
    location = models.CharField(_("where the glass is"), max_length=200, blank=True)
    kind = models.CharField(_("kind"), max_length=6, choices=Kind.choices)
    address = models.URLField(_("link"), max_length=500, blank=True)
    # of an image: as it was uploaded, in the folder of slides
    file_name = models.CharField(_("file"), max_length=200, blank=True)
    stored_as = models.CharField(max_length=100, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveBigIntegerField(_("size"), default=0)
    width = models.PositiveIntegerField(_("width (pixels)"), default=0)
    height = models.PositiveIntegerField(_("height (pixels)"), default=0)
    microns_per_pixel = models.FloatField(_("µm per pixel"), null=True, blank=True)
    tiles = models.CharField(max_length=8, choices=Tiles.choices, default=Tiles.NONE)
    problem = models.TextField(_("why it failed"), blank=True)
    added_by = to_person(_("added by"), null=True)

    access = case_policy("case", restore=PATHOLOGY)

    class Meta(Record.Meta):
        verbose_name = _("slide")
        verbose_name_plural = _("slides")
        ordering = ("case_id", "pk")
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind="link") | Q(address__startswith="https://"),
                name="slide_link_is_https",
            )
        ]

    def __str__(self) -> str:
        return self.label
