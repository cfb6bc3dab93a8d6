"""Addresses of what outside systems say: parts of pages that load by themselves."""

from django.urls import path

from digital_review.views import outside

urlpatterns = [
    path("cases/<int:pk>/laboratory/", outside.results, name="case_results"),
    path("forms/<int:pk>/registry/", outside.form_in_registry, name="form_in_registry"),
]
