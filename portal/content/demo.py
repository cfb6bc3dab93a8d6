"""The demo's front page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.content.models import HomePage

INTRODUCTION = (
    "<p>Velkommen til Region Øresunds portal. Alt her er opfundet: ingen patienter, ingen"
    " rigtige kolleger.</p>"
)


def load(people: Mapping[str, Any], units: Mapping[str, Any]) -> None:
    home = HomePage.objects.first()
    if home is not None and not home.introduction:
        home.title = home.draft_title = units["region"].name
        home.introduction = INTRODUCTION
        home.save()
