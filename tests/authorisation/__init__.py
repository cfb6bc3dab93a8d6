"""Who may do what, declared; `test_authorisation_table.py` tries all of it."""

from tests.authorisation import designs, digital_review, portal, tracershop

EXPECTED = (
    portal.EXPECTED,
    designs.EXPECTED,
    tracershop.EXPECTED,
    digital_review.EXPECTED,
)
