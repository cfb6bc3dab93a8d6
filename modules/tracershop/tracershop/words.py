"""The sentences for what rules find: rules return codes and facts, people read words."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext_lazy as _

from tracershop.rules.bookings import UnplacedReason
from tracershop.rules.calculator import CalculatorErrorCode
from tracershop.rules.deadlines import OrderingObstacleCode
from tracershop.rules.findings import Facts, Finding
from tracershop.rules.lots import LotErrorReason
from tracershop.rules.release import ObstacleCode, ReleaseWarningCode
from tracershop.rules.vial_plan import Uncovered
from tracershop.rules.vials import VialWarningCode

_SENTENCES: dict[type, dict[Any, Any]] = {
    OrderingObstacleCode: {
        OrderingObstacleCode.CLOSED_DAY: _("%(delivery_day)s is a closed day."),
        OrderingObstacleCode.DEADLINE_PASSED: _("The deadline was %(deadline_at)s."),
    },
    CalculatorErrorCode: {
        CalculatorErrorCode.NO_ROWS: _("There is no injection to calculate."),
        CalculatorErrorCode.BEFORE_DELIVERY: _(
            "Row %(row)s: the injection at %(injected_at)s is before the delivery."
        ),
        CalculatorErrorCode.ACTIVITY_NOT_POSITIVE: _("Row %(row)s: the activity must be above 0."),
        CalculatorErrorCode.TOO_MUCH: _(
            "Row %(row)s: so long after the delivery, more would be needed than can be made."
        ),
    },
    UnplacedReason: {
        UnplacedReason.CLOSED_DAY: _("%(day)s is a closed day."),
        UnplacedReason.NO_SLOT: _("There is no delivery of the tracer to the endpoint that day."),
        UnplacedReason.ALL_SLOTS_LATER: _(
            "The first delivery, %(first_deliver_at)s, is after the injection."
        ),
        UnplacedReason.DEADLINE_PASSED: _("The deadline was %(deadline_at)s."),
        UnplacedReason.UNITS_INVALID: _("The mapping's amount is not usable."),
        UnplacedReason.TOO_MUCH: _("More would be needed at the delivery than can be made."),
    },
    ObstacleCode: {
        ObstacleCode.NO_PRODUCTION_ROLE: _("Releasing needs a production role."),
        ObstacleCode.CERTIFICATION_ABSENT: _("You are not certified for this tracer."),
        ObstacleCode.CERTIFICATION_EXPIRED: _(
            "Your certification for this tracer expired on %(expires_on)s."
        ),
        ObstacleCode.CERTIFICATION_NOT_YET_VALID: _(
            "Your certification for this tracer is valid from %(valid_from)s."
        ),
        ObstacleCode.ORDER_NOT_ACCEPTED: _("The order is not accepted."),
        ObstacleCode.NO_VIALS: _("No vial is chosen for the order."),
        ObstacleCode.WRONG_TRACER: _("%(lot)s is another tracer than was ordered."),
        ObstacleCode.WRONG_CUSTOMER: _("A vial of %(lot)s was filled for another customer."),
        ObstacleCode.EXPIRED: _("%(lot)s expired at %(use_before)s."),
        ObstacleCode.EXPIRES_BEFORE_DELIVERY: _(
            "%(lot)s expires at %(use_before)s, before it is delivered."
        ),
        ObstacleCode.BATCH_IN_QUARANTINE: _("The batch %(lot)s is in quarantine."),
        ObstacleCode.BATCH_REJECTED: _("The batch %(lot)s was rejected."),
        ObstacleCode.BATCH_RECALLED: _("The batch %(lot)s was recalled."),
        ObstacleCode.FILLED_TOO_LATE: _(
            "%(lot)s was filled so long after the delivery that its activity there is not known."
        ),
        ObstacleCode.VIAL_IN_USE: _("A vial of %(lot)s serves order %(used_by_order)s already."),
    },
    ReleaseWarningCode: {
        ReleaseWarningCode.OTHER_DAY: _(
            "The delivery is on %(day)s, which is not today (%(today)s)."
        ),
        ReleaseWarningCode.LOT_OF_OTHER_DAY: _(
            "The lot %(lots)s is not dated on the day of delivery, %(day)s."
        ),
        ReleaseWarningCode.LESS_ACTIVITY: _(
            "At delivery there are %(available_mbq)s MBq; %(ordered_mbq)s MBq were ordered."
        ),
    },
    Uncovered: {
        Uncovered.NO_VIAL: _("There is no free vial of this tracer for this customer."),
        Uncovered.EXPIRED: _("The vials expire before the delivery."),
        Uncovered.FILLED_LATER: _("The vials were filled after the delivery."),
        Uncovered.TOO_LARGE: _("Each vial holds more than the greatest volume."),
        Uncovered.NOT_ENOUGH: _("All free vials together hold less than is needed."),
        Uncovered.TAKEN: _("The vials cover more when they go to other orders."),
        Uncovered.BLOCKED: _("The vials' batch is in quarantine, rejected or recalled."),
    },
    VialWarningCode: {
        VialWarningCode.LOT_DATE_DIFFERS: _("The lot is dated otherwise than the vial was filled."),
        VialWarningCode.PAST_USE_BEFORE: _("Past its use-before time when it arrived."),
        VialWarningCode.ACTIVITY_IMPLAUSIBLE: _("The activity is outside plausible limits."),
        VialWarningCode.VOLUME_IMPLAUSIBLE: _("The volume is outside plausible limits."),
        VialWarningCode.TYPED_BY_HAND: _("A value was typed by a person, not measured."),
    },
    LotErrorReason: {
        LotErrorReason.EMPTY: _("The lot number is missing."),
        LotErrorReason.SHAPE: _("The lot number is not of the form PREFIX-yymmdd-n."),
        LotErrorReason.PREFIX: _("The lot number's prefix is too long."),
        LotErrorReason.DATE: _("There is no such date as in the lot number."),
        LotErrorReason.NUMBER: _("The number at the end of the lot number must be 1 to 9999."),
    },
}


def sentence(code: Any, facts: Facts | None = None) -> str:
    """The words for a code, in the reader's language, with the facts in the reader's formats."""
    return str(_SENTENCES[type(code)][code]) % {
        name: _shown(value) for name, value in (facts or {}).items()
    }


def told(finding: Finding[Any]) -> str:
    return sentence(finding.code, finding.facts)


def vial_warning(code: str) -> str:
    """A stored warning code in words."""
    return sentence(VialWarningCode(code))


def release_warning(code: str) -> str:
    """What a confirmed warning of a release was about, without its figures."""
    return str(_CONFIRMED[ReleaseWarningCode(code)])


_CONFIRMED = {
    ReleaseWarningCode.OTHER_DAY: _("Released on another day than that of the delivery"),
    ReleaseWarningCode.LOT_OF_OTHER_DAY: _("A lot dated on another day than the delivery"),
    ReleaseWarningCode.LESS_ACTIVITY: _("Less activity at delivery than was ordered"),
}


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")
    if isinstance(value, date):
        return date_format(value, "SHORT_DATE_FORMAT")
    if isinstance(value, float):
        return number_format(round(value, 1), use_l10n=True, force_grouping=True)
    if isinstance(value, tuple):
        return ", ".join(_shown(each) for each in value)
    return str(value)
