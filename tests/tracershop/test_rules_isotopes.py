import pytest
from tracershop.rules.isotopes import ISOTOPES


@pytest.mark.parametrize(
    ("symbol", "half_life_s"),
    [
        ("C-11", 1223.4),
        ("N-13", 597.9),
        ("O-15", 122.24),
        ("F-18", 6586.2),
        ("Cu-64", 45720),
        ("Ga-68", 4062.6),
        ("Rb-82", 76.38),
        ("Zr-89", 282276),
        ("I-124", 360806.4),
    ],
)
def test_half_lives_in_seconds_are_those_of_icrp_107(symbol, half_life_s):
    assert ISOTOPES[symbol].half_life_s == pytest.approx(half_life_s, rel=1e-9)


def test_every_isotope_states_its_source_and_agrees_with_what_it_says_was_published():
    seconds = {"s": 1, "min": 60, "h": 3600, "d": 86400}
    for symbol, isotope in ISOTOPES.items():
        number, unit = isotope.published.split()
        assert isotope.symbol == symbol
        assert isotope.half_life_s == pytest.approx(float(number) * seconds[unit], rel=1e-9)
        assert "ICRP Publication 107" in isotope.source


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        ISOTOPES["F-18"] = None
