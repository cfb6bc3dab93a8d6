from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.lots import LotNumber
from tracershop.rules.vials import (
    VialFacts,
    VialLimits,
    VialWarning,
    VialWarningCode,
    vial_warnings,
)

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
LIMITS = VialLimits(10, 50_000, 0.2, 20)
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=COPENHAGEN)
LOT = LotNumber("FDG", date(2026, 11, 23), 1)
GOOD = VialFacts(
    lot=LOT,
    filled_at=datetime(2026, 11, 23, 8, 45, 5, tzinfo=COPENHAGEN),
    use_before=datetime(2026, 11, 23, 18, 0, tzinfo=COPENHAGEN),
    activity_mbq=13233,
    volume_ml=11.11,
)


def warnings(**changes):
    return vial_warnings(replace(GOOD, **changes), LIMITS, now=NOW, zone=COPENHAGEN)


@pytest.mark.requirement("TS-062")
def test_an_ordinary_vial_has_no_warnings():
    assert warnings() == []


@pytest.mark.requirement("TS-062")
def test_a_lot_dated_otherwise_than_the_filling_is_warned_of():
    lot = LotNumber("FDG", date(2026, 11, 22), 1)
    assert warnings(lot=lot) == [
        VialWarning(
            VialWarningCode.LOT_DATE_DIFFERS,
            {
                "lot": "FDG-261122-1",
                "lot_date": date(2026, 11, 22),
                "filled_on": date(2026, 11, 23),
            },
        )
    ]


def test_the_day_of_filling_is_that_of_the_site():
    just_past_midnight = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)  # 00:30 on the 23rd at the site
    assert warnings(filled_at=just_past_midnight) == []


@pytest.mark.requirement("TS-062")
def test_a_vial_is_past_its_expiry_from_that_moment_on():
    assert warnings(use_before=NOW + timedelta(seconds=1)) == []
    assert warnings(use_before=NOW) == [
        VialWarning(VialWarningCode.PAST_USE_BEFORE, {"use_before": NOW})
    ]


@pytest.mark.requirement("TS-062")
@pytest.mark.parametrize("activity_mbq", [9.99, 50_000.01, 0, -1, float("nan"), float("inf")])
def test_an_implausible_activity_is_warned_of(activity_mbq):
    (warning,) = warnings(activity_mbq=activity_mbq)
    assert warning.code == VialWarningCode.ACTIVITY_IMPLAUSIBLE
    assert (warning.facts["min_mbq"], warning.facts["max_mbq"]) == (10, 50_000)


@pytest.mark.requirement("TS-062")
@pytest.mark.parametrize("volume_ml", [0.19, 20.01, 0, float("nan")])
def test_an_implausible_volume_is_warned_of(volume_ml):
    (warning,) = warnings(volume_ml=volume_ml)
    assert warning.code == VialWarningCode.VOLUME_IMPLAUSIBLE
    assert (warning.facts["min_ml"], warning.facts["max_ml"]) == (0.2, 20)


@pytest.mark.parametrize(("activity_mbq", "volume_ml"), [(10, 0.2), (50_000, 20)])
def test_the_limits_themselves_are_plausible(activity_mbq, volume_ml):
    assert warnings(activity_mbq=activity_mbq, volume_ml=volume_ml) == []


@pytest.mark.requirement("TS-060")
def test_what_a_person_typed_is_warned_of_by_name():
    assert warnings(typed_fields=("activity", "volume")) == [
        VialWarning(VialWarningCode.TYPED_BY_HAND, {"fields": ("activity", "volume")})
    ]


def test_a_lot_and_an_expiry_that_are_not_known_make_no_warning():
    assert warnings(lot=None, use_before=None) == []


@pytest.mark.requirement("TS-062")
def test_all_warnings_are_given_at_once():
    found = warnings(
        lot=LotNumber("FDG", date(2020, 1, 1), 1),
        use_before=NOW - timedelta(days=1),
        activity_mbq=0,
        volume_ml=0,
        typed_fields=("activity",),
    )
    of_the_clock = {VialWarningCode.FILLED_IN_FUTURE, VialWarningCode.ARRIVED_LATE}
    expected = [code for code in VialWarningCode if code not in of_the_clock]
    assert [warning.code for warning in found] == expected


def test_limits_the_wrong_way_round_are_refused():
    with pytest.raises(ValueError, match=r"^min_activity_mbq"):
        VialLimits(2, 1, 0, 1)
    with pytest.raises(ValueError, match=r"^min_volume_ml"):
        VialLimits(1, 2, 2, 1)


@given(st.floats(0, 1e5), st.floats(0, 100))
def test_a_value_is_warned_of_exactly_when_it_is_outside_its_limits(activity_mbq, volume_ml):
    codes = {warning.code for warning in warnings(activity_mbq=activity_mbq, volume_ml=volume_ml)}
    outside = activity_mbq < 10 or activity_mbq > 50_000
    assert (VialWarningCode.ACTIVITY_IMPLAUSIBLE in codes) is outside
    assert (VialWarningCode.VOLUME_IMPLAUSIBLE in codes) is (volume_ml < 0.2 or volume_ml > 20)


@pytest.mark.requirement("TS-062")
@pytest.mark.parametrize(
    ("minutes", "code"),
    [
        (-60, VialWarningCode.FILLED_IN_FUTURE),  # the clock is an hour ahead
        (-6, VialWarningCode.FILLED_IN_FUTURE),
        (-5, None),
        (1, None),
        (45, None),
        (46, VialWarningCode.ARRIVED_LATE),
        (60, VialWarningCode.ARRIVED_LATE),  # the clock is an hour behind
    ],
)
def test_a_dispensers_clock_that_is_off_is_told_by_when_the_file_came(minutes, code):
    arrived_at = GOOD.filled_at + timedelta(minutes=minutes)
    found = vial_warnings(GOOD, LIMITS, now=NOW, zone=COPENHAGEN, arrived_at=arrived_at)
    facts = {"filled_at": GOOD.filled_at, "arrived_at": arrived_at}
    assert found == ([VialWarning(code, facts)] if code else [])


@pytest.mark.requirement("TS-062")
def test_in_the_hour_that_the_night_of_summer_time_has_twice_the_clock_is_right():
    second_half_past_two = datetime(2026, 10, 25, 2, 30, tzinfo=COPENHAGEN, fold=1)
    facts = replace(GOOD, lot=None, use_before=None, filled_at=second_half_past_two)
    came = datetime(2026, 10, 25, 1, 31, tzinfo=UTC)
    assert vial_warnings(facts, LIMITS, now=came, zone=COPENHAGEN, arrived_at=came) == []
