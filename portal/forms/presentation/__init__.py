"""A form as a plain structure: what one set of templates shows, prints and writes to paper.

`present` takes a sheet as its reader may see it, `blank` a form alone; both give a `Page`: its
sections, their parts, the rows of these, their fields. Everything in it is text, number or truth,
so that the same structure goes into a page, a workbook and, by `plain`, into a PDF (DR-094).
"""

from portal.forms.presentation.changes import Change, Changes, changes
from portal.forms.presentation.making import blank, language_among, present, widget_of
from portal.forms.presentation.structure import (
    Field,
    Option,
    Page,
    Part,
    Row,
    Said,
    SectionPage,
    Widget,
    plain,
)

__all__ = [
    "Change",
    "Changes",
    "Field",
    "Option",
    "Page",
    "Part",
    "Row",
    "Said",
    "SectionPage",
    "Widget",
    "blank",
    "changes",
    "language_among",
    "plain",
    "present",
    "widget_of",
]
