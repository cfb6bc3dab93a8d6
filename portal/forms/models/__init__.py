"""The tables of forms: designs with their versions, and what every answered form has in common."""

from portal.forms.models.designs import Design, DesignVersion, FormDesign, FormVersion
from portal.forms.models.sheets import AnswerFile, Sheet, UnsavedInput

__all__ = [
    "AnswerFile",
    "Design",
    "DesignVersion",
    "FormDesign",
    "FormVersion",
    "Sheet",
    "UnsavedInput",
]
