"""The sentences for what rules find: rules return codes and facts, people read words."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext_lazy as _

from tracershop.rules.batches import VerdictObstacleCode, VerdictWarningCode
from tracershop.rules.booking_changes import LeavingReason
from tracershop.rules.bookings import UnplacedReason
from tracershop.rules.calculator import CalculatorErrorCode
from tracershop.rules.copying import CopyObstacleCode
from tracershop.rules.deadlines import OrderingObstacleCode
from tracershop.rules.findings import Facts, Finding
from tracershop.rules.lots import LotErrorReason
from tracershop.rules.release import ObstacleCode, ReleaseWarningCode
from tracershop.rules.setup import SetupDoubtCode
from tracershop.rules.transport import PackageObstacleCode
from tracershop.rules.vial_plan import Uncovered
from tracershop.rules.vials import VialWarningCode

_SENTENCES: dict[type, dict[Any, Any]] = {
    OrderingObstacleCode: {
        OrderingObstacleCode.CLOSED_DAY: _("%(delivery_day)s is a closed day."),
        OrderingObstacleCode.DEADLINE_PASSED: _("The deadline was %(deadline_at)s."),
    },
    CopyObstacleCode: {
        CopyObstacleCode.STANDING: _("Its standing order places it by itself."),
        CopyObstacleCode.REJECTED: _("It was rejected; order it anew if it is needed again."),
        CopyObstacleCode.GHOST: _("Production added it; it was not ordered by the customer."),
        CopyObstacleCode.ALREADY_ORDERED: _("It is ordered already."),
        CopyObstacleCode.NOT_IN_CATALOGUE: _("The tracer is not in the catalogue any more."),
        CopyObstacleCode.NO_SLOT: _("The slot does not deliver on %(day)s."),
        CopyObstacleCode.NO_DEADLINE: _("No deadline is set up for this kind of order."),
        CopyObstacleCode.CLOSED_DAY: _("%(day)s is a closed day."),
        CopyObstacleCode.DEADLINE_PASSED: _("The deadline was %(deadline_at)s."),
        CopyObstacleCode.TOO_MANY_INJECTIONS: _(
            "At most %(limit)s injections can be ordered at once."
        ),
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
    LeavingReason: {
        LeavingReason.CANCELLED: _("Cancelled: the order does not need it any more."),
        LeavingReason.NOT_MAPPED: _("Its room or procedure is not mapped: map it, then order."),
        LeavingReason.OTHER_ENDPOINT: _("It is at another endpoint now: order it there."),
        LeavingReason.OTHER_TRACER: _("It needs another tracer now: order that."),
        LeavingReason.OTHER_DAY: _("It is on another day now: order it for that day."),
        LeavingReason.BEFORE_DELIVERY: _(
            "The injection at %(injected_at)s is before the delivery: order it in an earlier slot."
        ),
        LeavingReason.NEARER_SLOT: _(
            "The delivery at %(deliver_at)s is nearer its injection: order it there."
        ),
        LeavingReason.TOO_MUCH: _("More would be needed at the delivery than can be made."),
        LeavingReason.UNITS_INVALID: _("The mapping's amount is not usable."),
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
        ObstacleCode.BATCH_UNKNOWN: _("%(lot)s has no batch record, so no verdict on its quality."),
        ObstacleCode.BATCH_TEST_FAILED: _("A quality test of the batch %(lot)s failed."),
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
        ReleaseWarningCode.CONDITIONAL_BATCH: _(
            "%(lots)s is released conditionally: its quality control is not complete."
        ),
    },
    VerdictObstacleCode: {
        VerdictObstacleCode.NOT_FROM_HERE: _("The batch cannot get this verdict any more."),
        VerdictObstacleCode.TEST_FAILED: _("%(test)s: the result is outside its limits."),
        VerdictObstacleCode.TEST_MISSING: _("%(test)s: there is no result yet."),
        VerdictObstacleCode.NO_EXPIRY: _("The batch has no expiry."),
        VerdictObstacleCode.BATCH_EXPIRED: _("The batch expired at %(expires_at)s."),
    },
    VerdictWarningCode: {
        VerdictWarningCode.TESTS_PENDING: _("Not known yet: %(tests)s."),
        VerdictWarningCode.NO_TESTS: _("No quality tests are defined for this tracer."),
    },
    PackageObstacleCode: {
        PackageObstacleCode.EMPTY: _("Package %(package)s: there is nothing in it."),
        PackageObstacleCode.NUCLIDE_WITHOUT_LIMIT: _(
            "Package %(package)s: how much %(isotopes)s may be carried is not known here."
        ),
        PackageObstacleCode.OVER_A2: _(
            "Package %(package)s holds %(times)s times what a type A package may (A2)."
        ),
        PackageObstacleCode.OVER_EXCEPTED_LIMIT: _(
            "Package %(package)s holds %(times)s times what an excepted package may."
        ),
        PackageObstacleCode.EXCEPTED_SURFACE: _(
            "Package %(package)s: %(surface_msv_h)s mSv/h at the surface; an excepted package has"
            " at most 0.005 mSv/h."
        ),
        PackageObstacleCode.SURFACE_TOO_HIGH: _(
            "Package %(package)s: %(surface_msv_h)s mSv/h at the surface; no package may have more"
            " than 10 mSv/h."
        ),
        PackageObstacleCode.NEEDS_EXCLUSIVE_USE: _(
            "Package %(package)s: with a transport index of %(index)s and %(surface_msv_h)s mSv/h"
            " at the surface it is beyond III-YELLOW: it needs a vehicle of its own, which is not"
            " shipped from here."
        ),
        PackageObstacleCode.FARTHER_IS_STRONGER: _(
            "Package %(package)s: %(at_1m_msv_h)s mSv/h at 1 m is more than %(surface_msv_h)s mSv/h"
            " at the surface."
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
        VialWarningCode.FILLED_IN_FUTURE: _(
            "Filled in the future: is the dispenser's clock right? Its activity depends on it."
        ),
        VialWarningCode.ARRIVED_LATE: _(
            "Its file came long after the filling: late, or the dispenser's clock is wrong?"
        ),
    },
    SetupDoubtCode: {
        SetupDoubtCode.BEFORE_SYNTHESIS: _(
            "Delivered at %(deliver_time)s, before the end of synthesis at %(ends_at)s."
        ),
        SetupDoubtCode.PAST_SHELF_LIFE: _(
            "Delivered %(hours)s h after the end of synthesis; the tracer lasts %(shelf_life_h)s h."
        ),
        SetupDoubtCode.OVERLAP: _(
            "The endpoint has a slot of the tracer at %(deliver_time)s in these weeks already."
        ),
        SetupDoubtCode.OVER: _("The last day, %(expires_on)s, is over: nobody can order it."),
        SetupDoubtCode.NOT_IN_CATALOGUE: _(
            "%(tracer)s is not in the catalogue of %(endpoint)s: nobody can order it there."
        ),
        SetupDoubtCode.BY_INJECTIONS: _(
            "%(tracer)s is ordered by injections, at any time: it needs no slots."
        ),
        SetupDoubtCode.SLOTS_OUT_OF_REACH: _(
            "Delivery slots before the end of synthesis or past the shelf life then: %(count)s."
        ),
        SetupDoubtCode.ORDERS_STAY: _(
            "Orders to come that are placed already: %(count)s. They stay as they are."
        ),
        SetupDoubtCode.HALF_LIFE_IN_USE: _(
            "Orders to come: %(count)s. What they need is calculated with it from now on."
        ),
        SetupDoubtCode.ORDERS_ON_CLOSED_DAY: _(
            "Orders placed for %(day)s: %(count)s. They stay; speak with the customers."
        ),
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
    ReleaseWarningCode.CONDITIONAL_BATCH: _("A batch whose quality control was not complete"),
}


def verdict_warning(code: str) -> str:
    """What a confirmed warning of a verdict was about, without its figures."""
    return str(_CONFIRMED_OF_VERDICT[VerdictWarningCode(code)])


_CONFIRMED_OF_VERDICT = {
    VerdictWarningCode.TESTS_PENDING: _("Tests of the full release were not known yet"),
    VerdictWarningCode.NO_TESTS: _("No quality tests were defined"),
}


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")
    if isinstance(value, date):
        return date_format(value, "SHORT_DATE_FORMAT")
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, float):
        return number_format(round(value, 1), use_l10n=True, force_grouping=True)
    if isinstance(value, Decimal):  # as it was measured, every digit
        return number_format(value, use_l10n=True)
    if isinstance(value, tuple):
        return ", ".join(_shown(each) for each in value)
    return str(value)
