"""Addresses of patients in review: lists, the patient's page, letters."""

from django.urls import path

from digital_review.views import anamnesis, case_page, letters, overview

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("patients.xlsx", overview.excel, name="overview_excel"),
    path("patients.pdf", overview.paper, name="overview_paper"),
    path("cases/<int:pk>/", case_page.case, name="case"),
    path("cases/<int:pk>/tab/<slug:tab>/", case_page.case_tab, name="case_tab"),
    path("cases/<int:pk>/go/<str:code>/", case_page.go, name="case_go"),
    path("cases/<int:pk>/protocol/", case_page.protocol, name="case_protocol"),
    path("cases/<int:pk>/anamnesis/", anamnesis.add, name="anamnesis_add"),
    path("anamneses/<int:pk>/", anamnesis.change, name="anamnesis_change"),
    path("anamneses/<int:pk>/remove/", anamnesis.remove, name="anamnesis_remove"),
    path("cases/<int:pk>/letters/<slug:kind>/", letters.new, name="letter_new"),
    path(
        "cases/<int:pk>/letters/<slug:kind>/preview-<int:page>.png",
        letters.preview,
        name="letter_preview",
    ),
    path("letters/<int:pk>/", letters.letter, name="letter"),
    path("letters/<int:pk>/letter.pdf", letters.letter_pdf, name="letter_pdf"),
]
