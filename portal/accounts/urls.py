from __future__ import annotations

from django.urls import path

from portal.accounts.views import external, login, passwords, regional_id, sessions

app_name = "accounts"

urlpatterns = [
    path("login/", login.log_in, name="login"),
    path("login/code/", login.code, name="code"),
    path("login/enrol/", login.enrol, name="enrol"),
    path("sign-out/", login.sign_out, name="sign_out"),
    path("refused/", login.refused, name="refused"),
    path("regional-id/", regional_id.Start.as_view(), name="regional_id"),
    path("regional-id/callback/", regional_id.Callback.as_view(), name="regional_id_callback"),
    path("password/", passwords.request_link, name="request_link"),
    path("password/<uidb64>/<token>/", passwords.ChoosePassword.as_view(), name="set_password"),
    path("language/", sessions.language, name="language"),
    path("sessions/", sessions.own, name="sessions"),
    path("sessions/end-others/", sessions.end_others, name="end_others"),
    path("sessions/end-all/", sessions.end_all, name="end_all"),
    path("sessions/<int:pk>/end/", sessions.end_one, name="end_session"),
    path("external/", external.accounts, name="external"),
    path("external/new/", external.create, name="external_new"),
    path("external/<int:pk>/", external.account, name="external_account"),
    path("external/<int:pk>/suspend/", external.suspend, name="external_suspend"),
    path("external/<int:pk>/reactivate/", external.reactivate, name="external_reactivate"),
    path("external/<int:pk>/extend/", external.extend, name="external_extend"),
    path("external/<int:pk>/reset/", external.reset, name="external_reset"),
]
