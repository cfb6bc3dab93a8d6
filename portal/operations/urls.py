from __future__ import annotations

from django.urls import URLPattern, path

from portal.audit.chain import ACCESS, TRAIL
from portal.operations.views import (
    access_review,
    audit,
    configuration,
    history,
    removed,
    reviews,
    status,
    who_saw,
)

app_name = "operations"

urlpatterns: list[URLPattern] = [
    path("", status.status, name="status"),
    path("lamps/", status.lamps, name="lamps"),
    path("problems/", status.problems, name="problems"),
    path("configuration/", configuration.overview, name="configuration"),
    path("configuration/<slug:label>/", configuration.of_module, name="configuration_of"),
    path("access-review/", access_review.reviews, name="access_reviews"),
    path("access-review/<int:pk>/", access_review.review, name="access_review"),
    path("access-review/<int:pk>/confirm/", access_review.confirm, name="confirm_access_review"),
    path("access-review/<int:pk>/excel/", access_review.export, name="export_access_review"),
    path("access-review/begin/<int:pk>/", access_review.begin, name="begin_access_review"),
    path("access-review/revoke/<int:pk>/", access_review.revoke, name="revoke_access_line"),
    path("audit/", audit.browse, {"log": TRAIL}, name="audit"),
    path("audit/<int:pk>/", audit.entry, {"log": TRAIL}, name="audit_entry"),
    path("audit/export/", audit.export, name="audit_export"),
    path("reviews/", reviews.overview, name="reviews"),
    path("reviews/new/", reviews.new, name="review_new"),
    path("access-log/", audit.browse, {"log": ACCESS}, name="access_log"),
    path("access-log/<int:pk>/", audit.entry, {"log": ACCESS}, name="access_entry"),
    path("who-saw/", who_saw.who_saw, name="who_saw"),
    path("history/<str:model>/<str:pk>/", history.history, name="history"),
    path("removed/", removed.overview, name="removed"),
    path("removed/<str:model>/", removed.of_model, name="removed_of"),
    path("removed/<str:model>/<str:pk>/restore/", removed.restore, name="restore"),
]
