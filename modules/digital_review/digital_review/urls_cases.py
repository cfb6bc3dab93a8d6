"""Addresses of the forms of cases, and of what is done with a case."""

from django.http import Http404
from django.urls import path

from digital_review.views import case_acts, case_forms, form_signing


def soon(request: object, **_: object) -> None:
    raise Http404


urlpatterns = [
    path("forms/<int:pk>/", soon, name="form"),
    path("forms/", case_forms.form_list, name="forms"),
    path("forms/start/", case_forms.start, name="start_case"),
    path("forms/follow-up/", case_forms.follow_up, name="start_follow_up"),
    path("forms/<int:pk>/sign/", form_signing.sign, name="form_sign"),
    path("forms/<int:pk>/attest/", form_signing.attest, name="form_attest"),
    path("forms/<int:pk>/withdraw/", form_signing.withdraw, name="form_withdraw"),
    path("forms/<int:pk>/paper/", form_signing.scan, name="form_paper"),
    path("cases/<int:pk>/step/<str:code>/", case_acts.step, name="case_step"),
    path("cases/<int:pk>/force/", case_acts.force, name="force_review"),
    path("cases/<int:pk>/ask/", case_acts.ask_hospital, name="ask_hospital"),
    path("cases/<int:pk>/follow-up/", case_acts.follow_up, name="case_follow_up"),
]
