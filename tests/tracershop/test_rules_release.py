from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.lots import LotNumber
from tracershop.rules.orders import OrderStatus
from tracershop.rules.release import (
    BatchStatus,
    CertificationFacts,
    LotAtRelease,
    Obstacle,
    ObstacleCode,
    OrderFacts,
    ReleaserFacts,
    ReleaseWarning,
    ReleaseWarningCode,
    VialAtRelease,
    available_mbq,
    certification_obstacle,
    release_obstacles,
    release_warnings,
    unconfirmed,
)

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
F18_S = 6586.2
NOW = datetime(2026, 11, 23, 8, 50, tzinfo=COPENHAGEN)
TODAY = date(2026, 11, 23)
ONE_DAY = timedelta(days=1)
SLOT = datetime(2026, 11, 23, 9, 0, tzinfo=COPENHAGEN)
LOT = LotNumber("FDG", TODAY, 1)

CERTIFIED = ReleaserFacts(
    has_production_role=True,
    certifications=(CertificationFacts("FDG", date(2026, 1, 1), date(2026, 12, 31)),),
)
ORDER = OrderFacts(
    key=41733,
    status=OrderStatus.ACCEPTED,
    tracer="FDG",
    customer="petrh",
    deliver_at=SLOT,
    half_life_s=F18_S,
    ordered_mbq=12000,
)
VIAL = VialAtRelease(
    key=36201,
    lot=LOT,
    tracer="FDG",
    customer="petrh",
    filled_at=datetime(2026, 11, 23, 8, 45, 5, tzinfo=COPENHAGEN),
    activity_mbq=13233,  # 12043.5 at nine
    use_before=datetime(2026, 11, 23, 18, 0, tzinfo=COPENHAGEN),
    batch_status=BatchStatus.RELEASED,
)
INJECTIONS = replace(ORDER, ordered_mbq=None)
FROM_LOT = LotAtRelease(LOT, "FDG", VIAL.use_before, BatchStatus.RELEASED)


def obstacles(releaser=CERTIFIED, order=ORDER, vials=(VIAL,), lot=None, now=NOW):
    return release_obstacles(
        releaser=releaser, order=order, vials=vials, lot=lot, now=now, zone=COPENHAGEN
    )


def warnings(order=ORDER, vials=(VIAL,), lot=None, now=NOW):
    return release_warnings(order=order, vials=vials, lot=lot, now=now, zone=COPENHAGEN)


@pytest.mark.requirement("TS-080")
def test_a_certified_person_may_release_an_accepted_order_from_its_vials():
    assert obstacles() == []
    assert warnings() == []


@pytest.mark.requirement("TS-080")
def test_an_injection_order_may_be_released_from_a_lot_without_vials():
    assert obstacles(order=INJECTIONS, vials=(), lot=FROM_LOT) == []
    assert warnings(order=INJECTIONS, vials=(), lot=FROM_LOT) == []


@pytest.mark.requirement("TS-080")
def test_release_needs_the_production_role_whatever_the_certification():
    found = obstacles(releaser=replace(CERTIFIED, has_production_role=False))
    assert found == [Obstacle(ObstacleCode.NO_PRODUCTION_ROLE)]


@pytest.mark.requirement("TS-080")
@pytest.mark.parametrize(
    ("certifications", "expected"),
    [
        ((), Obstacle(ObstacleCode.CERTIFICATION_ABSENT, {"tracer": "FDG"})),
        (
            (CertificationFacts("PSMA", date(2026, 1, 1)),),
            Obstacle(ObstacleCode.CERTIFICATION_ABSENT, {"tracer": "FDG"}),
        ),
        (
            (CertificationFacts("FDG", date(2026, 1, 1), revoked=True),),
            Obstacle(ObstacleCode.CERTIFICATION_ABSENT, {"tracer": "FDG"}),
        ),
        (
            (
                CertificationFacts("FDG", date(2024, 1, 1), date(2024, 12, 31)),
                CertificationFacts("FDG", date(2025, 1, 1), TODAY - ONE_DAY),
            ),
            Obstacle(
                ObstacleCode.CERTIFICATION_EXPIRED,
                {"tracer": "FDG", "expires_on": TODAY - ONE_DAY},
            ),
        ),
        (
            (
                CertificationFacts("FDG", date(2025, 1, 1), date(2025, 12, 31)),
                CertificationFacts("FDG", TODAY + ONE_DAY),
            ),
            Obstacle(
                ObstacleCode.CERTIFICATION_NOT_YET_VALID,
                {"tracer": "FDG", "valid_from": TODAY + ONE_DAY},
            ),
        ),
    ],
)
def test_release_needs_a_certification_for_the_tracer_that_is_valid_today(certifications, expected):
    assert obstacles(releaser=ReleaserFacts(True, certifications)) == [expected]


@pytest.mark.requirement("TS-080")
def test_a_certification_is_valid_on_its_first_and_on_its_last_day():
    assert certification_obstacle([CertificationFacts("FDG", TODAY, TODAY)], "FDG", TODAY) is None
    assert certification_obstacle([CertificationFacts("FDG", TODAY)], "FDG", TODAY) is None


def test_today_is_the_day_at_the_site():
    expires_today = ReleaserFacts(True, (CertificationFacts("FDG", date(2026, 1, 1), TODAY),))
    half_past_midnight_on_the_24th = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    no_expiry = replace(VIAL, use_before=None)
    found = obstacles(expires_today, vials=[no_expiry], now=half_past_midnight_on_the_24th)
    assert [each.code for each in found] == [ObstacleCode.CERTIFICATION_EXPIRED]


certifications = st.lists(
    st.builds(
        CertificationFacts,
        tracer=st.sampled_from(["FDG", "PSMA"]),
        valid_from=st.dates(date(2026, 11, 1), date(2026, 12, 15)),
        expires_on=st.none() | st.dates(date(2026, 11, 1), date(2026, 12, 15)),
        revoked=st.booleans(),
    ),
    max_size=5,
)


@pytest.mark.requirement("TS-080")
@given(certifications)
def test_any_one_valid_certification_is_enough_and_nothing_less(held):
    valid = any(
        each.tracer == "FDG"
        and not each.revoked
        and each.valid_from <= TODAY
        and (each.expires_on is None or each.expires_on >= TODAY)
        for each in held
    )
    assert (certification_obstacle(held, "FDG", TODAY) is None) is valid


@pytest.mark.requirement("TS-080")
@pytest.mark.parametrize(
    "status", [OrderStatus.ORDERED, OrderStatus.REJECTED, OrderStatus.RELEASED]
)
def test_only_an_accepted_order_can_be_released(status):
    assert obstacles(order=replace(ORDER, status=status)) == [
        Obstacle(ObstacleCode.ORDER_NOT_ACCEPTED, {"order": 41733, "status": status})
    ]


@pytest.mark.requirement("TS-080")
def test_an_order_without_vials_or_lot_cannot_be_released():
    assert obstacles(vials=()) == [Obstacle(ObstacleCode.NO_VIALS, {"order": 41733})]


OF_VIAL = {"lot": "FDG-261123-1", "vial": 36201}


@pytest.mark.requirement("TS-080")
@pytest.mark.parametrize(
    ("changes", "code", "facts"),
    [
        ({"tracer": "PSMA"}, ObstacleCode.WRONG_TRACER, {"tracer": "PSMA", "wanted": "FDG"}),
        (
            {"customer": "other"},
            ObstacleCode.WRONG_CUSTOMER,
            {"customer": "other", "wanted": "petrh"},
        ),
        ({"customer": None}, ObstacleCode.WRONG_CUSTOMER, {"customer": None, "wanted": "petrh"}),
        ({"use_before": NOW}, ObstacleCode.EXPIRED, {"use_before": NOW}),
        (
            {"use_before": SLOT},
            ObstacleCode.EXPIRES_BEFORE_DELIVERY,
            {"use_before": SLOT, "deliver_at": SLOT},
        ),
        ({"batch_status": BatchStatus.QUARANTINE}, ObstacleCode.BATCH_IN_QUARANTINE, {}),
        ({"batch_status": BatchStatus.REJECTED}, ObstacleCode.BATCH_REJECTED, {}),
        ({"batch_status": BatchStatus.RECALLED}, ObstacleCode.BATCH_RECALLED, {}),
        (
            {"batch_status": None, "quality_tested": True},
            ObstacleCode.BATCH_UNKNOWN,
            {},
        ),
        ({"test_failed": True}, ObstacleCode.BATCH_TEST_FAILED, {}),
        ({"used_by_order": 41000}, ObstacleCode.VIAL_IN_USE, {"used_by_order": 41000}),
    ],
)
def test_a_vial_that_is_not_fit_for_the_order_stops_the_release(changes, code, facts):
    assert obstacles(vials=[replace(VIAL, **changes)]) == [Obstacle(code, {**OF_VIAL, **facts})]


@pytest.mark.requirement("TS-080")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tracer": "PSMA"}, ObstacleCode.WRONG_TRACER),
        ({"use_before": NOW}, ObstacleCode.EXPIRED),
        ({"batch_status": BatchStatus.RECALLED}, ObstacleCode.BATCH_RECALLED),
        ({"batch_status": None, "quality_tested": True}, ObstacleCode.BATCH_UNKNOWN),
    ],
)
def test_a_lot_that_is_not_fit_for_the_order_stops_the_release(changes, code):
    (found,) = obstacles(order=INJECTIONS, vials=(), lot=replace(FROM_LOT, **changes))
    assert found.code == code
    assert (found.facts["lot"], found.facts["vial"]) == ("FDG-261123-1", None)


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_status": None},
        {"batch_status": BatchStatus.CONDITIONALLY_RELEASED},
        {"batch_status": BatchStatus.RELEASED, "quality_tested": True},
        {"use_before": None},
        {"use_before": SLOT + timedelta(seconds=1)},
        {"used_by_order": 41733},
    ],
)
def test_a_vial_that_is_fit_for_the_order_does_not(changes):
    assert obstacles(vials=[replace(VIAL, **changes)]) == []


@pytest.mark.requirement("TS-082")
def test_every_reason_is_given_at_once():
    found = obstacles(
        releaser=ReleaserFacts(False),
        order=replace(ORDER, status=OrderStatus.ORDERED),
        vials=[
            replace(VIAL, tracer="PSMA", customer="other"),
            replace(VIAL, key=2, batch_status=BatchStatus.REJECTED, used_by_order=1),
        ],
    )
    assert [each.code for each in found] == [
        ObstacleCode.NO_PRODUCTION_ROLE,
        ObstacleCode.CERTIFICATION_ABSENT,
        ObstacleCode.ORDER_NOT_ACCEPTED,
        ObstacleCode.WRONG_TRACER,
        ObstacleCode.WRONG_CUSTOMER,
        ObstacleCode.BATCH_REJECTED,
        ObstacleCode.VIAL_IN_USE,
    ]


@pytest.mark.parametrize("judge", [obstacles, warnings])
def test_a_vial_given_twice_is_not_counted_twice(judge):
    with pytest.raises(ValueError, match=r"^vials"):
        judge(vials=[VIAL, VIAL])


@pytest.mark.requirement("TS-081")
def test_a_release_for_another_day_than_today_must_be_confirmed():
    tomorrow = replace(ORDER, deliver_at=SLOT + ONE_DAY, ordered_mbq=None)
    lot = replace(VIAL, lot=LotNumber("FDG", TODAY + ONE_DAY, 1))
    assert warnings(order=tomorrow, vials=[lot]) == [
        ReleaseWarning(ReleaseWarningCode.OTHER_DAY, {"day": TODAY + ONE_DAY, "today": TODAY})
    ]


@pytest.mark.requirement("TS-081")
def test_a_lot_dated_otherwise_must_be_confirmed_once_for_all_lots():
    yesterday = [LotNumber("FDG", TODAY - ONE_DAY, n) for n in (2, 1)]
    vials = [VIAL, *(replace(VIAL, key=n, lot=lot) for n, lot in enumerate(yesterday))]
    expected = {"lots": ("FDG-261122-1", "FDG-261122-2"), "day": TODAY}
    assert warnings(vials=vials) == [ReleaseWarning(ReleaseWarningCode.LOT_OF_OTHER_DAY, expected)]
    (of_lot,) = warnings(order=INJECTIONS, vials=(), lot=replace(FROM_LOT, lot=yesterday[0]))
    assert of_lot.facts == {"lots": ("FDG-261122-2",), "day": TODAY}


@pytest.mark.requirement("TS-081")
def test_less_activity_at_the_slot_than_was_ordered_must_be_confirmed():
    (warning,) = warnings(order=replace(ORDER, ordered_mbq=12044))
    assert warning.code == ReleaseWarningCode.LESS_ACTIVITY
    assert warning.facts["available_mbq"] == pytest.approx(12043.5, abs=0.05)
    assert (warning.facts["ordered_mbq"], warning.facts["deliver_at"]) == (12044, SLOT)


@pytest.mark.requirement("TS-081")
def test_several_vials_serve_an_order_together():
    two = [VIAL, replace(VIAL, key=2)]
    assert available_mbq(ORDER, two) == pytest.approx(2 * 12043.5, abs=0.1)
    assert warnings(order=replace(ORDER, ordered_mbq=24000), vials=two) == []


def test_exactly_what_was_ordered_is_not_less_of_it_for_a_speck_of_float_dust():
    exact_mbq = available_mbq(ORDER, [VIAL])
    assert warnings(order=replace(ORDER, ordered_mbq=exact_mbq * (1 + 1e-12))) == []
    assert len(warnings(order=replace(ORDER, ordered_mbq=exact_mbq * (1 + 1e-6)))) == 1


def test_a_vial_filled_long_after_the_delivery_is_a_matter_of_days_and_not_of_activity():
    oxygen = replace(ORDER, half_life_s=122.24, deliver_at=SLOT - timedelta(days=30))
    codes = [warning.code for warning in warnings(order=oxygen)]
    assert codes == [ReleaseWarningCode.OTHER_DAY, ReleaseWarningCode.LOT_OF_OTHER_DAY]


@pytest.mark.requirement("TS-081")
def test_each_warning_waits_for_the_confirmation_of_its_own_code():
    found = warnings(
        order=replace(ORDER, deliver_at=SLOT + ONE_DAY),
        vials=[replace(VIAL, use_before=None, batch_status=BatchStatus.CONDITIONALLY_RELEASED)],
    )
    assert [warning.code for warning in found] == list(ReleaseWarningCode)
    assert unconfirmed(found, set()) == found
    assert unconfirmed(found, {"other_day", "less_activity"}) == [found[1], found[3]]
    assert unconfirmed(found, set(ReleaseWarningCode)) == []
    assert unconfirmed([], set()) == []


@pytest.mark.requirement("TS-046", "TS-081")
def test_a_conditionally_released_batch_is_named_once_however_many_vials_it_gives():
    conditional = replace(VIAL, batch_status=BatchStatus.CONDITIONALLY_RELEASED)
    (found,) = warnings(vials=[conditional, replace(conditional, key=2), replace(VIAL, key=3)])
    assert found.code == ReleaseWarningCode.CONDITIONAL_BATCH
    assert found.facts["lots"] == ("FDG-261123-1",)
    lot = replace(FROM_LOT, batch_status=BatchStatus.CONDITIONALLY_RELEASED)
    (found,) = warnings(order=INJECTIONS, vials=(), lot=lot)
    assert found.code == ReleaseWarningCode.CONDITIONAL_BATCH


@given(st.lists(st.floats(1, 20_000), min_size=1, max_size=5), st.floats(1, 50_000))
def test_the_warning_of_less_activity_agrees_with_the_sum(activities, ordered_mbq):
    order = replace(ORDER, ordered_mbq=ordered_mbq)
    vials = [replace(VIAL, key=n, activity_mbq=mbq) for n, mbq in enumerate(activities)]
    short = ordered_mbq - sum(activities) * 2 ** (-895 / F18_S)
    codes = [warning.code for warning in warnings(order=order, vials=vials)]
    if abs(short) > 1e-3:
        assert (ReleaseWarningCode.LESS_ACTIVITY in codes) is (short > 0)
