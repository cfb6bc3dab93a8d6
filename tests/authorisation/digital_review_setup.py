"""Digital Review's part of the table: review types, and the people of reviews."""

from __future__ import annotations

from collections.abc import Iterator

from digital_review.views.setup_pages import PAGES

from tests.authorisation.expectations import Row, Topic, pk_of

MANAGER = frozenset({"digital_review.review_manager"})
_RECORDS = {
    "types": "review_type_set_up",
    "forms": "form_slot_set_up",
    "outcomes": "outcome_set_up",
    "specialists": "specialist_set_up",
}


def _rows() -> Iterator[tuple[str, Row]]:
    for page in PAGES:
        name, record = f"digital_review:setup_{page.name}", pk_of(_RECORDS[page.name])
        yield name, Row(MANAGER)
        yield f"{name}_new", Row(MANAGER)
        yield f"{name}_edit", Row(MANAGER, args=record)
        yield f"{name}_end", Row(MANAGER, args=record)


URLS: dict[str, Row] = {
    "digital_review:review_types": Row(MANAGER),
    "digital_review:review_type": Row(MANAGER, args=pk_of("review_type_set_up")),
    "digital_review:install_review_type": Row(MANAGER),
    "digital_review:people": Row(MANAGER),
    "digital_review:people_new": Row(MANAGER),
    "digital_review:people_deactivate": Row(MANAGER, args=pk_of("person_of_review")),
    **dict(_rows()),
}
TOPICS = {
    r"digital_review/setup/(?P<model>[a-z]+)": Topic(
        lambda objects, person: "digital_review/setup/outcome", MANAGER, on_objects=False
    ),
}
