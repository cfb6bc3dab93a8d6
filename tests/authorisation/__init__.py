"""Who may do what, declared; `test_authorisation_table.py` tries all of it."""

from tests.authorisation import portal, tracershop

EXPECTED = (portal.EXPECTED, tracershop.EXPECTED)
