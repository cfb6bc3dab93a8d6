"""A form is data: it is written and read without loss, and nothing is accepted silently."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.forms.rules.codec import write
from portal.forms.rules.definition import (
    Appearance,
    Check,
    Choice,
    CodeList,
    Form,
    Group,
    Item,
    Kind,
    Limits,
    Section,
    Severity,
    Source,
    form_from_json,
    form_to_json,
)
from portal.forms.rules.faults import SENTENCES, Faulty
from portal.forms.rules.publishing import faults_of
from portal.forms.rules.texts import Words
from tests.support.definitions import form_a, form_json, item

text = st.text(max_size=12)
codes = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,5}", fullmatch=True)
words = st.dictionaries(st.sampled_from(["en", "nl", "cs"]), text, max_size=3).map(Words.of)
optional = st.none() | text
limits = st.none() | st.builds(Limits, optional, optional)
sources = st.none() | st.builds(Source, text, text)
items = st.builds(
    Item,
    code=codes,
    kind=st.sampled_from(Kind),
    label=words,
    help=words,
    note=text,
    unit=text,
    decimals=st.none() | st.integers(0, 9),
    code_list=text,
    appearance=st.none() | st.sampled_from(Appearance),
    limits=limits,
    expected=limits,
    longest=st.none() | st.integers(),
    pattern=text,
    personal=st.booleans(),
    editable=st.booleans(),
    required=st.booleans(),
    required_if=text,
    show_if=text,
    checks=st.lists(
        st.builds(Check, codes, text, words, st.sampled_from(Severity)), max_size=2
    ).map(tuple),
    rule=text,
    result=st.none() | st.sampled_from(Kind),
    default=text,
    first_value=sources,
    written_to=sources,
    missing_codes=st.lists(text, max_size=2).map(tuple),
)
groups = st.builds(
    Group,
    code=codes,
    title=words,
    items=st.lists(items, max_size=2).map(tuple),
    help=words,
    show_if=text,
    repeats=st.booleans(),
    rows_least=st.none() | st.integers(),
    rows_most=st.none() | st.integers(),
)
sections = st.builds(
    Section, codes, words, st.lists(items | groups, max_size=3).map(tuple), words, text
)
choices = st.lists(st.builds(Choice, text, words), max_size=2).map(tuple)
forms = st.builds(
    Form,
    code=codes,
    title=words,
    languages=st.lists(text, max_size=2).map(tuple),
    sections=st.lists(sections, max_size=2).map(tuple),
    description=words,
    code_lists=st.lists(st.builds(CodeList, text, choices), max_size=2).map(tuple),
    missing_codes=choices,
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


@given(forms)
@settings(max_examples=60, deadline=None)
@pytest.mark.requirement("DR-103")
def test_a_form_written_and_read_is_the_same_form(form: Form) -> None:
    assert form_from_json(json.dumps(form_to_json(form))) == form


@given(forms)
@settings(max_examples=60, deadline=None)
def test_every_form_that_can_be_read_can_be_judged(form: Form) -> None:
    for fault in faults_of(form):
        assert str(fault)


@pytest.mark.requirement("DR-091", "DR-097", "DR-092")
def test_the_pre_crf_has_every_field_in_two_languages_and_can_be_published() -> None:
    form = form_a()
    assert faults_of(form) == []
    numbers = {int(found[1]) for code in form.spots if (found := re.match(r"A(\d+)", code))}
    assert numbers == set(range(1, 55))
    assert form.languages == ("en", "nl")
    assert form.spots["A7"].item.label.text("nl") == "Voorgeschiedenis"
    assert form.spots["A7"].item.label.text("en") == "Prehistory"
    assert form.spots["A18"].item.unit == "mmol/L"
    assert [form.spots[f"A{n}"].item.editable for n in (1, 2, 3, 4)] == [False] * 4
    assert all(form.spots[f"A{n}"].item.first_value for n in (1, 2, 3, 4))
    assert "to be confirmed by a haematologist" in form.spots["A21"].item.note
    assert form_from_json(json.dumps(form_to_json(form))) == form


@pytest.mark.requirement("CD-205")
def test_all_kinds_of_item_are_known() -> None:
    assert {str(kind) for kind in Kind} == {
        "text", "long text", "integer", "decimal", "date", "partial date", "time", "datetime",
        "boolean", "single choice", "multiple choice", "file", "computed", "signature",
    }  # fmt: skip


def test_everything_that_cannot_be_read_is_named_with_its_place_at_once() -> None:
    data = form_json(
        item("A1"), item("A18", "decimale", unit=3, colour="red"), item("A19", required="yes")
    )
    data["sections"].append({"code": "two", "parts": "none"})
    data["pages"] = 3
    with pytest.raises(Faulty) as caught:
        form_from_json(data)
    said = [str(fault) for fault in caught.value.faults]
    assert "section 1, item A18: “unit” must be a text, not a whole number" in said
    assert "section 1, item A18: “colour” is not known here" in said
    assert any(each.startswith("section 1, item A18: “kind” is “decimale”") for each in said)
    assert "section 1, item A19: “required” must be true or false, not a text" in said
    assert "section 2: “title” is missing" in said
    assert "section 2: “parts” must be a list, not a text" in said
    assert "“pages” is not known here" in said
    assert len(said) == 7


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("{", "this is not JSON"),
        ('{"schema": 1, "code": "a", "code": "b"}', "stands twice"),
        ('{"schema": 1, "code": NaN}', "NaN is no number"),
        ('{"schema": 2}', "schema 2 cannot be read"),
        ("{}", "schema None cannot be read"),
        ("[]", "must be an object"),
        ("[" * 100_000, "this is not JSON"),
    ],
)
def test_what_is_no_form_is_refused(raw: str, said: str) -> None:
    with pytest.raises(Faulty, match=re.escape(said)):
        form_from_json(raw)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"title": "Small"}, "“title” must be an object, not a text"),
        ({"title": {"en": 3}}, "“title.en” must be a text, not a whole number"),
        ({"title": {"en": "x" * 20_001}}, "“title.en” is longer than 20000 characters"),
        ({"code": "x" * 20_001}, "“code” is longer than 20000 characters"),
        ({"languages": ["en"] * 5_001}, "languages: there are more than 5000"),
        ({"languages": [None]}, "“languages” must be a text, not nothing"),
        ({"sections": [{"kind": "group"}]}, "section 1: “kind” is not known here"),
    ],
)
def test_wrong_types_and_too_much_of_anything_are_refused(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(Faulty, match=re.escape(said)):
        form_from_json(form_json(item("A"), **settings))


@given(anything)
@settings(max_examples=150, deadline=None)
def test_data_that_is_no_form_raises_faulty_and_nothing_else(data: Any) -> None:
    with pytest.raises(Faulty):
        form_from_json(data)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_form_broken_at_any_place_is_refused_or_read_as_written(data: st.DataObject) -> None:
    whole = form_to_json(form_a())
    here: Any = whole
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(here[key], (dict, list)) or not here[key] or data.draw(st.booleans()):
            break
        here = here[key]
    here[key] = data.draw(anything)
    try:
        form = form_from_json(whole)
    except Faulty:
        return
    assert form_from_json(form_to_json(form)) == form


def test_a_form_says_which_choices_an_item_has() -> None:
    form = form_a()
    assert form.codes_of(form.spots["A36"].item) == ("pos", "neg")
    assert form.codes_of(form.spots["A1"].item) == ()


def test_what_equals_its_default_is_not_written() -> None:
    plain = Item("A1", Kind.TEXT, Words.of(en="One"))
    assert write(plain) == {"code": "A1", "kind": "text", "label": {"en": "One"}}


def test_every_fault_has_a_sentence() -> None:
    assert all(sentence.strip() for sentence in SENTENCES.values())
    assert Words.of(en="x", nl=" ").text("nl", ["en"]) == "x"
    assert not Words.of(nl=" ")
