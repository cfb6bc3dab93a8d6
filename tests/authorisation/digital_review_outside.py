"""Digital Review's part of the table: what outside systems say of a patient."""

from __future__ import annotations

from tests.authorisation.digital_review_cases import ALL
from tests.authorisation.digital_review_overview import SEE
from tests.authorisation.expectations import Row, pk_of

URLS: dict[str, Row] = {
    "digital_review:case_results": Row(SEE, args=pk_of("case")),
    "digital_review:form_in_registry": Row(ALL, args=pk_of("complete_form")),
}
