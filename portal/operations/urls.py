from __future__ import annotations

from django.urls import URLPattern, path

from portal.audit.chain import ACCESS, TRAIL
from portal.operations.views import audit, history, status

app_name = "operations"

urlpatterns: list[URLPattern] = [
    path("", status.status, name="status"),
    path("lamps/", status.lamps, name="lamps"),
    path("problems/", status.problems, name="problems"),
    path("audit/", audit.browse, {"log": TRAIL}, name="audit"),
    path("audit/<int:pk>/", audit.entry, {"log": TRAIL}, name="audit_entry"),
    path("audit/export/", audit.export, name="audit_export"),
    path("audit/review/", audit.review, name="audit_review"),
    path("access-log/", audit.browse, {"log": ACCESS}, name="access_log"),
    path("access-log/<int:pk>/", audit.entry, {"log": ACCESS}, name="access_entry"),
    path("access-log/print/", audit.print_access, name="access_print"),
    path("history/<str:model>/<str:pk>/", history.history, name="history"),
]
