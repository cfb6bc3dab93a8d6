"""The life of designs: who may, what is refused, and that what is published never changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.utils import DatabaseError

from portal.audit.models import AuditEntry
from portal.forms.kinds import FORMS
from portal.forms.models import FormDesign, FormVersion
from portal.forms.rules.terms import Term, Type
from portal.forms.selectors import terms_from_json
from portal.forms.services.designs import (
    FaultyDesign,
    begin_draft,
    copy_design,
    create_design,
    discard_draft,
    export_design,
    import_design,
    install_design,
    publish_version,
    redo_draft,
    retire_version,
    save_draft,
    steps_of,
    undo_draft,
)
from portal.records.context import ServiceActor
from portal.records.errors import Refused, StaleRecord
from tests.support.definitions import check, form_json, item
from tests.support.designs import AREA, Designers, area, make_draft, people
from tests.support.threads import at_once

__all__ = ["area", "people"]
pytestmark = [pytest.mark.django_db, pytest.mark.requirement("DR-106", "DR-107")]


def published(people: Designers, *parts: dict[str, Any], **settings: Any) -> Any:
    draft = make_draft(people, *parts, **settings)
    return publish(people, draft)


def publish(people: Designers, draft: Any, reason: str = "ready") -> Any:
    return publish_version(
        FORMS,
        actor=people.publisher,
        version_id=draft.pk,
        opened_version=draft.version,
        reason=reason,
    )


def saved(people: Designers, draft: Any, *parts: dict[str, Any], **settings: Any) -> Any:
    return save_draft(
        FORMS,
        actor=people.designer,
        version_id=draft.pk,
        content=form_json(*parts, **settings),
        opened_version=draft.version,
    )


def test_a_form_is_drafted_published_and_replaced_by_its_next_version(people: Designers) -> None:
    first = published(people, item("A"))
    assert (first.number, first.state, first.published_by) == (1, "published", people.publisher)
    draft = begin_draft(FORMS, actor=people.designer, design_id=first.design_id)
    assert (draft.number, draft.state) == (2, "draft")
    assert draft.content == first.content
    same = begin_draft(FORMS, actor=people.designer, design_id=first.design_id)
    assert same.pk == draft.pk
    second = publish(people, saved(people, draft, item("A", unit="kg"), item("B")))
    first.refresh_from_db()
    assert (first.state, second.state) == ("retired", "published")
    assert first.retired_at is not None
    entry = AuditEntry.objects.filter(action="forms.version_published").latest("pk")
    assert entry.reason == "ready"
    assert entry.data["replaces"] == 1
    assert len(entry.data["sha256"]) == 64
    unit = {"part": "item A", "what": "changed", "attribute": "unit", "old": None, "new": "kg"}
    assert {**unit, "risk": "unit changed"} in entry.data["changes"]
    assert {"part": "item B", "what": "added"} in entry.data["changes"]


def test_the_names_beyond_the_form_are_kept_as_they_were_when_it_was_published(
    people: Designers,
) -> None:
    version = published(people, item("A", show_if='precrf.A49 == "yes"'))
    assert terms_from_json(version.outside) == {"precrf.A49": Term(Type.CHOICE, ("yes", "no"))}


def test_a_faulty_form_is_refused_with_every_fault_and_its_place(people: Designers) -> None:
    draft = make_draft(people, item("A", show_if="Z > 1"), item("B", checks=[check("B >")]))
    with pytest.raises(FaultyDesign) as refused:
        publish(people, draft)
    assert refused.value.details == [
        "section 1, item A, show if: “Z” is not a name that this rule can read",
        "section 1, item B, check c1: the rule ends too early",
    ]
    draft.refresh_from_db()
    assert draft.state == "draft"


def test_who_designs_does_not_publish_and_nobody_reaches_other_units(people: Designers) -> None:
    draft = make_draft(people)
    with pytest.raises(PermissionDenied):
        publish_version(
            FORMS,
            actor=people.designer,
            version_id=draft.pk,
            opened_version=draft.version,
            reason="x",
        )
    with pytest.raises(PermissionDenied):
        create_design(
            FORMS, actor=people.stranger, unit=people.clinic, area=AREA, code="x", title="X"
        )
    asked = {"actor": people.stranger, "version_id": draft.pk}
    opened = {"opened_version": draft.version}
    for act in (
        lambda: save_draft(FORMS, content=draft.content, **opened, **asked),
        lambda: publish_version(FORMS, reason="x", **opened, **asked),
        lambda: undo_draft(FORMS, **opened, **asked),
        lambda: discard_draft(FORMS, reason="x", **asked),
        lambda: retire_version(FORMS, reason="x", **asked),
        lambda: begin_draft(FORMS, actor=people.stranger, design_id=draft.design_id),
        lambda: copy_design(
            FORMS,
            actor=people.stranger,
            design_id=draft.design_id,
            unit=people.elsewhere,
            code="y",
            title="Y",
        ),
    ):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.code == "gone"


def test_a_reason_is_demanded(people: Designers) -> None:
    draft = make_draft(people)
    with pytest.raises(Refused, match="Say why"):
        publish(people, draft, reason=" ")
    version = publish(people, draft)
    with pytest.raises(Refused, match="Say why"):
        retire_version(FORMS, actor=people.publisher, version_id=version.pk, reason="")
    retire_version(FORMS, actor=people.publisher, version_id=version.pk, reason="out of use")
    with pytest.raises(Refused) as refused:
        retire_version(FORMS, actor=people.publisher, version_id=version.pk, reason="again")
    assert refused.value.code == "not_published"


def test_a_published_version_never_changes_by_the_service_or_by_raw_sql(
    people: Designers,
) -> None:
    version = published(people)
    with pytest.raises(Refused) as refused:
        saved(people, version, item("B"))
    assert refused.value.code == "published"
    for change in ("content = '{}'", "number = 7", "state = 'draft'"):
        statement = f"UPDATE forms_formversion SET {change} WHERE id = %s"
        with (
            pytest.raises(DatabaseError, match="never changes"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, [version.pk])


@pytest.mark.django_db(transaction=True)
def test_of_two_editors_at_once_one_is_told(people: Designers) -> None:
    draft = make_draft(people)

    def save(code: str) -> str:
        try:
            saved(people, draft, item(code))
        except StaleRecord:
            return "stale"
        return "saved"

    assert sorted(at_once(lambda: save("X"), lambda: save("Y"))) == ["saved", "stale"]


def test_what_cannot_be_read_is_not_kept(people: Designers) -> None:
    draft = make_draft(people)
    with pytest.raises(FaultyDesign) as refused:
        saved(people, draft, {"code": "A", "kind": "number", "label": 3, "colour": "red"})
    assert any(
        each.startswith("section 1, item A: “kind” is “number”") for each in details(refused)
    )
    assert any("“colour” is not known here" in each for each in details(refused))
    with pytest.raises(Refused) as other:
        saved(people, draft, item("A"), code="another")
    assert other.value.code == "code"


def details(refused: Any) -> list[str]:
    return [str(each) for each in refused.value.details]


def test_steps_are_taken_back_and_forth_as_a_person_expects(people: Designers) -> None:
    draft = make_draft(people, item("A"))
    draft = saved(people, draft, item("A"), item("B"))
    draft = saved(people, draft, item("A"), item("B"), item("C"))

    def codes() -> list[str]:
        return [part["code"] for part in draft.content["sections"][0]["parts"]]

    def step(act: Any) -> Any:
        return act(FORMS, actor=people.designer, version_id=draft.pk, opened_version=draft.version)

    draft = step(undo_draft)
    draft = step(undo_draft)
    assert codes() == ["A"]
    draft = step(redo_draft)
    assert codes() == ["A", "B"]
    draft = saved(people, draft, item("A"), item("D"))
    assert steps_of(draft)[1] is None, "after a change there is nothing to redo"
    draft = step(undo_draft)
    assert codes() == ["A", "B"]
    draft = step(undo_draft)
    draft = step(undo_draft)
    assert draft.content["sections"] == [], "the draft as it was made"
    with pytest.raises(Refused, match="nothing to take back"):
        step(undo_draft)


def test_a_discarded_draft_leaves_its_number_and_takes_a_form_that_never_was(
    people: Designers,
) -> None:
    first = published(people)
    draft = begin_draft(FORMS, actor=people.designer, design_id=first.design_id)
    discard_draft(FORMS, actor=people.designer, version_id=draft.pk, reason="a try")
    again = begin_draft(FORMS, actor=people.designer, design_id=first.design_id)
    assert again.number == 3
    lonely = make_draft(people, code="lonely")
    discard_draft(FORMS, actor=people.designer, version_id=lonely.pk, reason="a try")
    assert not FormDesign.objects.filter(code="lonely").exists()
    assert FormDesign.objects.filter(pk=first.design_id).exists()


def test_a_code_is_used_once_at_a_unit(people: Designers) -> None:
    make_draft(people)
    for code, refused_as in (("small", "code_taken"), ("sm all", "code"), ("today", "code")):
        with pytest.raises(Refused) as refused:
            create_design(
                FORMS, actor=people.designer, unit=people.clinic, area=AREA, code=code, title="S"
            )
        assert refused.value.code == refused_as
    with pytest.raises(Refused) as refused:
        create_design(
            FORMS, actor=people.designer, unit=people.clinic, area="none", code="x", title="X"
        )
    assert refused.value.code == "area"


def test_a_copy_begins_as_the_latest_version_under_its_own_name(people: Designers) -> None:
    first = published(people, item("A"))
    copy = copy_design(
        FORMS,
        actor=people.designer,
        design_id=first.design_id,
        unit=people.clinic,
        code="lymphoma",
        title="Lymphoma",
    )
    assert (copy.number, copy.state, copy.design.title) == (1, "draft", "Lymphoma")
    assert copy.content == {**first.content, "code": "lymphoma", "title": {"en": "Lymphoma"}}


def test_an_exported_form_is_imported_and_a_bad_file_refused_with_the_place(
    people: Designers,
) -> None:
    version = published(people, item("A"))
    text = export_design(version)
    made = import_design(FORMS, actor=people.stranger, unit=people.elsewhere, area=AREA, data=text)
    assert made.content == version.content
    assert made.design.title == "Small"
    bad = json.loads(text)
    bad["sections"][0]["parts"][0]["kind"] = "amount"
    bad["schema_of"] = 1
    for data, place in (
        (json.dumps(bad), "section 1, item A: “kind” is “amount”"),
        (json.dumps({**bad, "schema": 9}), "schema 9 cannot be read"),
        ("{", "this is not JSON"),
        ("[]", "must be an object"),
        (b"\xff\xfe\x00", "this is not JSON"),
        ("", "this is not JSON"),
        ("[" * 100_000, "this is not JSON"),
    ):
        with pytest.raises(FaultyDesign) as refused:
            import_design(
                FORMS, actor=people.designer, unit=people.clinic, area=AREA, data=data, code="n"
            )
        assert any(place in each for each in details(refused)), details(refused)
    with pytest.raises(Refused) as large:
        import_design(
            FORMS, actor=people.designer, unit=people.clinic, area=AREA, data=" " * 5_000_001
        )
    assert large.value.code == "too_large"


@pytest.mark.requirement("DR-160")
def test_installing_twice_changes_nothing_and_other_content_makes_the_next_version(
    people: Designers,
) -> None:
    def install(*parts: dict[str, Any]) -> Any:
        return install_design(
            FORMS,
            actor=ServiceActor("installation"),
            unit=people.clinic,
            area=AREA,
            code="shipped",
            title="Shipped",
            content=form_json(*parts, code="anything"),
        )

    first = install(item("A"))
    assert (first.number, first.state, first.content["code"]) == (1, "published", "shipped")
    assert install(item("A")).pk == first.pk
    second = install(item("A"), item("B"))
    assert (second.number, second.state) == (2, "published")
    assert FormVersion.objects.filter(design=first.design).count() == 2
    begin_draft(FORMS, actor=people.designer, design_id=first.design_id)
    assert install(item("A"), item("B")).pk == second.pk
    with pytest.raises(Refused) as refused:
        install(item("C"))
    assert refused.value.code == "draft"
    with pytest.raises(FaultyDesign):
        install_design(
            FORMS,
            actor=ServiceActor("installation"),
            unit=people.elsewhere,
            area=AREA,
            code="shipped",
            title="Shipped",
            content=form_json(item("A", show_if="Z")),
        )
