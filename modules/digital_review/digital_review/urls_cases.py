"""Addresses of the forms of cases, and of what a patient's hospital is asked for."""

from django.urls import path

from digital_review.views import case_acts, case_forms, form_signing
from digital_review.views.form_pages import PAGE
from portal.forms.views.sheets import sheet_urls

urlpatterns = [
    path("forms/", case_forms.form_list, name="forms"),
    path("forms/start/", case_forms.start, name="start_case"),
    path("forms/follow-up/", case_forms.follow_up, name="start_follow_up"),
    *sheet_urls(PAGE),
    path("forms/<int:pk>/sign/", form_signing.sign, name="form_sign"),
    path("forms/<int:pk>/attest/", form_signing.attest, name="form_attest"),
    path("forms/<int:pk>/withdraw/", form_signing.withdraw, name="form_withdraw"),
    path("forms/<int:pk>/paper/", form_signing.scan, name="form_paper"),
    path("cases/<int:pk>/ask/", case_acts.ask_hospital, name="ask_hospital"),
    path("cases/<int:pk>/follow-up/", case_acts.follow_up, name="case_follow_up"),
]
