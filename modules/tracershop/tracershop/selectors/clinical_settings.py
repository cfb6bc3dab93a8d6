"""What decides how Tracershop calculates and what it lets pass: signed by a person (OP-005)."""

from __future__ import annotations

from typing import Any

from django.db.models import Model, QuerySet

from tracershop.models import CatalogueEntry, Isotope, OrderDeadline, Tracer

_TRACER = (
    "isotope__symbol", "kind", "lot_prefix",
    "min_vial_mbq", "max_vial_mbq", "min_vial_ml", "max_vial_ml",
)  # fmt: skip


def clinical_settings() -> dict[str, Any]:
    """Half-lives (s), plausible vials (MBq, ml), overheads and deadlines. Four queries.

    By names and not by keys, so that a restored or migrated copy states the same.
    """
    overheads = CatalogueEntry.objects.order_by("endpoint__customer__name", "endpoint__name")
    return {
        "isotopes": _by(Isotope.objects.order_by("symbol"), "symbol", "half_life_s", "source"),
        "tracers": _by(Tracer.objects.order_by("name"), "name", *_TRACER),
        "deadlines": _by(
            OrderDeadline.objects.order_by("order_kind"), "order_kind", "kind", "at", "weekday"
        ),
        "catalogue": {
            f"{customer} / {endpoint} / {tracer}": {
                "overhead_factor": overhead,
                "max_injections": injections,
            }
            for customer, endpoint, tracer, overhead, injections in overheads.values_list(
                "endpoint__customer__name",
                "endpoint__name",
                "tracer__name",
                "overhead_factor",
                "max_injections",
            )
        },
    }


def _by(rows: QuerySet[Any, Model], key: str, *names: str) -> dict[str, dict[str, Any]]:
    return {
        str(row[key]): {name.replace("__", "_"): _written(row[name]) for name in names}
        for row in rows.values(key, *names)
    }


def _written(value: Any) -> Any:
    """Clock times as text: signed JSON has none."""
    return value.isoformat("minutes") if hasattr(value, "isoformat") else value
