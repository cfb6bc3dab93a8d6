from __future__ import annotations

from django.urls import path

from portal.accounts.views import (
    cas,
    external,
    login,
    passwords,
    people,
    provider_logout,
    regional_id,
    requests,
    sessions,
)

app_name = "accounts"

urlpatterns = [
    path("login/", login.log_in, name="login"),
    path("login/code/", login.code, name="code"),
    path("login/enrol/", login.enrol, name="enrol"),
    path("sign-out/", login.sign_out, name="sign_out"),
    path("refused/", login.refused, name="refused"),
    path("regional-id/", regional_id.Start.as_view(), name="regional_id"),
    path("regional-id/callback/", regional_id.Callback.as_view(), name="regional_id_callback"),
    path("back-channel-logout/", provider_logout.log_out, name="provider_logout"),
    path("cas/", cas.start, name="cas"),
    path("cas/return/", cas.come_back, name="cas_return"),
    path("password/", passwords.request_link, name="request_link"),
    path("password/<uidb64>/<token>/", passwords.ChoosePassword.as_view(), name="set_password"),
    path("language/", sessions.language, name="language"),
    path("sessions/", sessions.own, name="sessions"),
    path("sessions/end-others/", sessions.end_others, name="end_others"),
    path("sessions/end-all/", sessions.end_all, name="end_all"),
    path("sessions/<int:pk>/end/", sessions.end_one, name="end_session"),
    path("people/", people.people, name="people"),
    path("people/<int:pk>/", people.person, name="person"),
    path("people/<int:pk>/suspend/", people.suspend, name="person_suspend"),
    path("people/<int:pk>/reactivate/", people.reactivate, name="person_reactivate"),
    path("people/<int:pk>/end-all/", people.end_sessions, name="person_end_all"),
    path("people/<int:pk>/end/<int:session>/", people.end_sessions, name="person_end_session"),
    path("requests/", requests.requests, name="requests"),
    path("requests/new/", requests.ask_for_account, name="request_new"),
    path("requests/<int:pk>/", requests.request_page, name="request"),
    path("requests/<int:pk>/apply/", requests.apply, name="request_apply"),
    path("requests/<int:pk>/create/", requests.create, name="request_create"),
    path("requests/<int:pk>/approve/", requests.approve, name="request_approve"),
    path("requests/<int:pk>/refuse/", requests.refuse, name="request_refuse"),
    path("requests/<int:pk>/withdraw/", requests.withdraw, name="request_withdraw"),
    path("external/", external.accounts, name="external"),
    path("external/new/", external.create, name="external_new"),
    path("external/<int:pk>/", external.account, name="external_account"),
    path("external/<int:pk>/suspend/", external.suspend, name="external_suspend"),
    path("external/<int:pk>/reactivate/", external.reactivate, name="external_reactivate"),
    path("external/<int:pk>/extend/", external.extend, name="external_extend"),
    path("external/<int:pk>/reset/", external.reset, name="external_reset"),
]
