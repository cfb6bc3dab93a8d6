"""Carriage by road: transport index, category, limits of packages, the description of the goods."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracershop.rules.isotopes import ISOTOPES
from tracershop.rules.labels import VialCode, read_vial_code, vial_code
from tracershop.rules.transport import (
    LIMITS,
    Category,
    Content,
    PackageFacts,
    PackageKind,
    PackageObstacleCode,
    category,
    in_bq,
    package_obstacles,
    proper_description,
    share_of_limit,
    transport_index,
)

A, EXCEPTED = PackageKind.TYPE_A, PackageKind.EXCEPTED
dose_rates = st.decimals(0, 100, places=5).map(float)


def package(*contents, kind=A, surface=0.05, at_1m=0.002, number=1):
    return PackageFacts(number, kind, [Content(*each) for each in contents], surface, at_1m)


def codes(facts):
    return [found.code for found in package_obstacles(facts)]


# --- transport index and category -------------------------------------------------------------


@pytest.mark.requirement("TS-086")
@pytest.mark.parametrize(
    ("at_1m_msv_h", "index"),
    [
        (0, 0.0),
        (0.0005, 0.0),  # 0.05 counts as nothing
        (0.00050001, 0.1),
        (0.001, 0.1),
        (0.0113, 1.2),  # ADR's own example: 1.13 becomes 1.2
        (0.012, 1.2),
        (0.01, 1.0),
        (0.0101, 1.1),
        (0.1, 10.0),
        (0.029, 2.9),  # 0.029 × 100 is 2.9000000000000004 in floats
    ],
)
def test_the_transport_index_is_the_dose_rate_at_1_m_times_100_rounded_up(at_1m_msv_h, index):
    assert transport_index(at_1m_msv_h) == index


@given(dose_rates)
def test_a_transport_index_is_never_below_what_was_measured_and_less_than_a_tenth_above(at_1m):
    exact, index = Decimal(str(at_1m)) * 100, Decimal(str(transport_index(at_1m)))
    assert index == index.quantize(Decimal("0.1"))
    if exact > Decimal("0.05"):
        assert exact <= index < exact + Decimal("0.1")
    else:
        assert index == 0


@given(dose_rates, dose_rates)
def test_a_stronger_dose_rate_has_no_lower_index(one, other):
    low, high = sorted((one, other))
    assert transport_index(low) <= transport_index(high)


@pytest.mark.requirement("TS-086")
@pytest.mark.parametrize(
    ("index", "surface_msv_h", "expected"),
    [  # ADR table 5.1.5.3.4, each border
        (0, 0.005, Category.WHITE_I),
        (0, 0.0051, Category.YELLOW_II),
        (0.1, 0.005, Category.YELLOW_II),
        (1, 0.5, Category.YELLOW_II),
        (1.1, 0.5, Category.YELLOW_III),
        (1, 0.51, Category.YELLOW_III),
        (0, 2, Category.YELLOW_III),  # the higher of the two
        (10, 2, Category.YELLOW_III),
        (10.1, 2, None),
        (10, 2.01, None),
    ],
)
def test_the_category_is_the_higher_of_what_index_and_surface_ask_for(
    index, surface_msv_h, expected
):
    assert category(index, surface_msv_h) is expected


_ORDER = [Category.WHITE_I, Category.YELLOW_II, Category.YELLOW_III, None]


@given(dose_rates, dose_rates, dose_rates)
def test_more_radiation_never_lowers_the_category(surface, at_1m, more):
    here = _ORDER.index(category(transport_index(at_1m), surface))
    assert _ORDER.index(category(transport_index(at_1m), surface + more)) >= here
    assert _ORDER.index(category(transport_index(at_1m + more), surface)) >= here


# --- what may be in a package -----------------------------------------------------------------


def test_every_isotope_in_use_has_a_limit_with_its_source():
    assert LIMITS.keys() == ISOTOPES.keys()
    assert all(limit.source.startswith("ADR table 2.2.7.2.2.") for limit in LIMITS.values())
    assert {LIMITS[each].a2_tbq for each in ("O-15", "Rb-82", "Zr-89")} == {0.02}


@pytest.mark.requirement("TS-086")
@pytest.mark.parametrize(
    ("isotope", "a2_mbq"),
    [("F-18", 600_000), ("C-11", 600_000), ("Ga-68", 500_000), ("Cu-64", 1_000_000)],
)
def test_a_type_a_package_holds_a2_and_not_more(isotope, a2_mbq):
    assert codes(package((isotope, a2_mbq))) == []
    (found,) = package_obstacles(package((isotope, a2_mbq * 1.5), number=3))
    assert found.code is PackageObstacleCode.OVER_A2
    assert found.facts == {"package": 3, "times": 1.5}


@pytest.mark.requirement("TS-086")
def test_an_excepted_package_of_liquid_holds_a_ten_thousandth_of_a2_and_not_more():
    small = {"kind": EXCEPTED, "surface": 0.004, "at_1m": 0.0}
    assert codes(package(("F-18", 60), **small)) == []
    assert codes(package(("F-18", 61), **small)) == [PackageObstacleCode.OVER_EXCEPTED_LIMIT]
    assert codes(package(("F-18", 60), **{**small, "surface": 0.005})) == []
    assert codes(package(("F-18", 60), **{**small, "surface": 0.0051})) == [
        PackageObstacleCode.EXCEPTED_SURFACE
    ]


def test_several_nuclides_share_the_limit():
    half = [("F-18", 300_000.0), ("Ga-68", 250_000.0)]
    assert codes(package(*half)) == []
    assert codes(package(*half, ("F-18", 6_000))) == [PackageObstacleCode.OVER_A2]


@given(
    st.lists(st.tuples(st.sampled_from(sorted(LIMITS)), st.floats(0, 1e6)), min_size=1, max_size=5)
)
def test_a_package_is_within_its_limit_exactly_when_its_shares_sum_to_one_at_most(contents):
    share = sum(mbq / LIMITS[isotope].a2_mbq for isotope, mbq in contents)
    if abs(share - 1) > 1e-6:
        assert (PackageObstacleCode.OVER_A2 in codes(package(*contents))) == (share > 1)
    listed = [Content(*each) for each in contents]
    assert share_of_limit(EXCEPTED, listed) == pytest.approx(share * 1e4)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (package(), PackageObstacleCode.EMPTY),
        (package(("Ac-225", 1)), PackageObstacleCode.NUCLIDE_WITHOUT_LIMIT),
        (package(("F-18", 100), surface=0.01, at_1m=0.02), PackageObstacleCode.FARTHER_IS_STRONGER),
        (package(("F-18", 100), surface=2.1, at_1m=0.02), PackageObstacleCode.NEEDS_EXCLUSIVE_USE),
        (package(("F-18", 100), surface=1, at_1m=0.11), PackageObstacleCode.NEEDS_EXCLUSIVE_USE),
        (package(("F-18", 100), surface=10.1, at_1m=0.1), PackageObstacleCode.SURFACE_TOO_HIGH),
    ],
)
def test_what_cannot_leave_is_told_with_its_code(facts, code):
    assert codes(facts) == [code]


@pytest.mark.parametrize("wrong", [-0.1, float("nan"), float("inf")])
def test_what_is_no_dose_rate_or_activity_is_an_error(wrong):
    with pytest.raises(ValueError, match="at_1m_msv_h"):
        transport_index(wrong)
    with pytest.raises(ValueError, match="surface_msv_h"):
        category(0, wrong)
    with pytest.raises(ValueError, match="activity_mbq"):
        in_bq(wrong)


# --- what the papers say ----------------------------------------------------------------------


@pytest.mark.requirement("TS-086")
def test_the_description_has_adrs_order():
    assert proper_description(A) == (
        "UN 2915 RADIOACTIVE MATERIAL, TYPE A PACKAGE, non-special form,"
        " non fissile or fissile-excepted, 7, (E)"
    )
    assert proper_description(EXCEPTED) == (
        "UN 2910 RADIOACTIVE MATERIAL, EXCEPTED PACKAGE - LIMITED QUANTITY OF MATERIAL, 7"
    )


@pytest.mark.parametrize(
    ("activity_mbq", "expected"),
    [
        (2400.0, (2.4, "GBq")),
        (999.0, (999.0, "MBq")),
        (1_500_000, (1.5, "TBq")),
        (0.25, (250.0, "kBq")),
        (0.0, (0.0, "Bq")),
    ],
)
def test_an_activity_is_written_with_its_prefix(activity_mbq, expected):
    assert in_bq(activity_mbq) == pytest.approx(expected)


@given(st.floats(1e-5, 1e9))
def test_an_activity_with_its_prefix_is_the_same_activity(activity_mbq):
    amount, unit = in_bq(activity_mbq)
    in_mbq = {"Bq": 1e-6, "kBq": 1e-3, "MBq": 1, "GBq": 1e3, "TBq": 1e6}[unit]
    assert amount * in_mbq == pytest.approx(activity_mbq)
    assert amount >= 1


# --- the code on a label ----------------------------------------------------------------------


@given(st.integers(1, 10**17), st.from_regex(r"[A-Z0-9]{1,8}-[0-9]{6}-[1-9]", fullmatch=True))
def test_a_label_code_reads_back_as_the_same_vial(vial, lot):
    code = vial_code(vial, lot)
    assert read_vial_code(f"  {code}\r\n") == VialCode(vial, lot)
    assert read_vial_code(code.replace("TSV", "tsv")) == VialCode(vial, lot)


@pytest.mark.parametrize(
    "text", ["", "TSV", "TSV:0:FDG-261123-1", "TSV:12", "TSV:1:", "FDG-261123-1", "TSV:1x:A"]
)
def test_anything_else_is_no_label(text):
    assert read_vial_code(text) is None


@given(st.text(max_size=60))
def test_whatever_is_scanned_is_a_vial_or_none(text):
    found = read_vial_code(text)
    assert found is None or str(found) == "TSV" + text.strip()[3:]


@pytest.mark.parametrize(("vial", "lot"), [(0, "A-1"), (1, ""), (1, " A"), (1, "A" * 41)])
def test_a_vial_that_would_not_read_back_gets_no_code(vial, lot):
    with pytest.raises(ValueError, match="has no code"):
        vial_code(vial, lot)
