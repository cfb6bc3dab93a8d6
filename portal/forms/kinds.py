"""What forms and flows have in common as designs, said once for each kind.

`services/designs.py` keeps the life of both: draft → published → retired. A kind tells it how its
content is read, what must hold before it is published, and what a new version changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from django.utils.module_loading import import_string

from portal.forms.models import Design, DesignVersion, FormDesign, FormVersion
from portal.forms.models.designs import DESIGN_FORMS, PUBLISH_FORMS
from portal.forms.rules.definition import Form, form_from_json, form_to_json
from portal.forms.rules.difference import Change, difference
from portal.forms.rules.faults import Fault
from portal.forms.rules.publishing import faults_of
from portal.forms.rules.terms import Term
from portal.forms.rules.texts import Words
from portal.forms.selectors import terms_to_json
from portal.registry import registry


class Definition(Protocol):
    """What a version's content is read into: a `Form`, a `Machine`."""

    @property
    def code(self) -> str: ...
    @property
    def title(self) -> Words: ...
    @property
    def languages(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class DesignKind:
    """A kind of design: its tables, its privileges, and what its rules say of the content."""

    app: str
    """Acts of the audit trail begin with it: ``forms.version_published``."""
    design: type[Design]
    version: type[DesignVersion]
    may_design: str
    may_publish: str
    read: Callable[[object], Any]
    """Content (JSON data or text) to its definition. Faulty with every place that is wrong."""
    write: Callable[[Any], dict[str, Any]]
    empty: Callable[[str, str, tuple[str, ...]], Any]
    """Code, title and languages to a definition with nothing in it yet."""
    faults: Callable[[Any, Any], list[Fault]]
    """Design and definition to all that keeps it from being published."""
    difference: Callable[[Any, Any], list[dict[str, Any]]]
    """Former and new definition to the changes, as JSON has them."""
    published_with: Callable[[Any], dict[str, Any]] = lambda _design: {}
    """What else is written on the version when it is published."""
    kept_of: tuple[str, ...] = ()
    """Fields of a version beside its content that a new draft takes over."""


def names_of(design: Any) -> Mapping[str, Term]:
    """The names beyond the form that its rules may read: its area says so."""
    area = registry.design_area(design.area)
    if area is None or not area.form_names:
        return {}
    found: Mapping[str, Term] = import_string(area.form_names)(design)
    return found


def change_to_json(change: Change) -> dict[str, Any]:
    """A change for the audit trail."""
    return {
        "part": " ".join(filter(None, change.part)),
        "what": change.what,
        **({"attribute": change.attribute} if change.attribute else {}),
        **({"old": change.old, "new": change.new} if change.what == "changed" else {}),
        **({"risk": str(change.risk)} if change.risk else {}),
    }


FORMS = DesignKind(
    app="forms",
    design=FormDesign,
    version=FormVersion,
    may_design=DESIGN_FORMS,
    may_publish=PUBLISH_FORMS,
    read=form_from_json,
    write=form_to_json,
    empty=lambda code, title, languages: Form(
        code, Words.of(dict.fromkeys(languages, title)), languages, ()
    ),
    faults=lambda design, form: faults_of(form, names_of(design)),
    difference=lambda old, new: [change_to_json(each) for each in difference(old, new)],
    published_with=lambda design: {"outside": terms_to_json(names_of(design))},
)
