"""Batches, quality control, verdicts, corrections and recalls: their addresses."""

from __future__ import annotations

from django.urls import URLPattern, path

from tracershop.views import batches, corrections, recalls

urlpatterns: list[URLPattern] = [
    path("batches/", batches.batches, name="batches"),
    path("batches/new/", batches.create, name="batch_new"),
    path("batches/<int:pk>/", batches.batch_detail, name="batch"),
    path("batches/<int:pk>/edit/", batches.edit, name="batch_edit"),
    path("batches/<int:pk>/results/", batches.results, name="batch_results"),
    path("batches/<int:pk>/verdict/", batches.verdict, name="batch_verdict"),
    path("batches/<int:pk>/aside/", batches.put_aside, name="batch_put_aside"),
    path("batches/<int:pk>/recall/", recalls.start, name="recall_start"),
    path("recalls/", recalls.recalls, name="recalls"),
    path("recalls/<int:pk>/", recalls.recall_detail, name="recall"),
    path("recalls/<int:pk>/call/", recalls.call, name="recall_call"),
    path("recalls/<int:pk>/close/", recalls.close, name="recall_close"),
    path("recalls/notices/", recalls.notices, name="recall_notices"),
    path("recalls/<int:pk>/notice/", recalls.notice, name="recall_notice"),
    path("orders/<int:pk>/correct/", corrections.correct, name="correct"),
]
