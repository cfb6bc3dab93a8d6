"""Packing a shipment: when it leaves, which order is in which package, what was measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.records.fields import AmountField, ClockField, DateInput
from tracershop.models import Order, Package
from tracershop.rules.moments import local_moment
from tracershop.rules.transport import PackageKind
from tracershop.selectors.schedule import site_zone
from tracershop.services.packing import PackageSpec

_LEFT_OUT = "0"


class PackingForm(forms.Form):
    """As many packages as there are orders; one that no order is in stays empty.

    With ``packages`` a shipment is packed anew: it needs a reason, and may leave an order out.
    """

    day = forms.DateField(label=_("Leaves on"), widget=DateInput)
    leaves_at = ClockField(label=_("At"))
    version = forms.IntegerField(widget=forms.HiddenInput)
    carrier = forms.CharField(label=_("Carrier"), max_length=200, required=False)
    reason = forms.CharField(
        label=_("Reason"), max_length=500, help_text=_("It goes into the audit trail.")
    )

    def __init__(
        self,
        *args: Any,
        orders: Sequence[Order],
        packages: Sequence[Package] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.orders = list(orders)
        numbers = range(1, max(len(self.orders), len(packages or ())) + 1)
        if packages is None:
            del self.fields["reason"]
            del self.fields["version"]
        choices = [(str(number), str(number)) for number in numbers]
        if packages is not None:
            choices.append((_LEFT_OUT, str(_("left out"))))
        packed = {pk: str(each.number) for each in packages or () for pk in each.orders}
        for place, order in enumerate(self.orders, start=1):
            self.fields[f"package_{order.pk}"] = forms.ChoiceField(
                label=_("Order %(number)s is in package") % {"number": order.pk},
                choices=choices,
                initial=packed.get(order.pk, str(place) if packages is None else _LEFT_OUT),
            )
        measured = {each.number: each for each in packages or ()}
        for number in numbers:
            self._add_package(number, measured.get(number))
        self.numbers = list(numbers)

    def _add_package(self, number: int, package: Package | None) -> None:
        which = {"number": number}
        self.fields[f"kind_{number}"] = forms.ChoiceField(
            label=_("Type of package %(number)s") % which,
            choices=Package.Kind.choices,
            initial=package.kind if package else Package.Kind.TYPE_A,
        )
        self.fields[f"surface_{number}"] = AmountField(
            label=_("mSv/h at the surface of package %(number)s") % which,
            required=False,
            initial=package.surface_msv_h if package else None,
        )
        self.fields[f"at_1m_{number}"] = AmountField(
            label=_("mSv/h at 1 m from package %(number)s") % which,
            required=False,
            initial=package.at_1m_msv_h if package else None,
        )

    @property
    def order_rows(self) -> list[tuple[Order, BoundField]]:
        return [(order, self[f"package_{order.pk}"]) for order in self.orders]

    @property
    def package_rows(self) -> list[tuple[int, list[BoundField]]]:
        parts = ("kind", "surface", "at_1m")
        return [(number, [self[f"{part}_{number}"] for part in parts]) for number in self.numbers]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        inside: dict[int, set[int]] = defaultdict(set)
        for order in self.orders:
            number = int(values.get(f"package_{order.pk}") or 0)
            if number:
                inside[number].add(order.pk)
        for number in sorted(inside):
            for part in ("surface", "at_1m"):
                name = f"{part}_{number}"
                if values.get(name) is None and name not in self.errors:
                    self.add_error(name, _("Measure it: the package is not empty."))
        if not inside:
            self.add_error(None, _("Nothing is packed."))
        self._inside = inside
        return values

    @property
    def specs(self) -> list[PackageSpec]:
        values = self.cleaned_data
        return [
            PackageSpec(
                kind=PackageKind(values[f"kind_{number}"]),
                surface_msv_h=values[f"surface_{number}"],
                at_1m_msv_h=values[f"at_1m_{number}"],
                order_ids=frozenset(self._inside[number]),
            )
            for number in sorted(self._inside)
        ]

    @property
    def ships_at(self) -> datetime:
        return local_moment(self.cleaned_data["leaves_at"], self.cleaned_data["day"], site_zone())


def when(moment: datetime) -> dict[str, Any]:
    """The form's day and clock of a moment."""
    local = timezone.localtime(moment)
    return {"day": local.date(), "leaves_at": local.time()}


class ScanForm(forms.Form):
    """A scanner types the code and presses Enter."""

    code = forms.CharField(
        label=_("Code"),
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Scan the label, or type what stands under its code."),
    )
