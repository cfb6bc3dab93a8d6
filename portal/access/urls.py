from __future__ import annotations

from django.urls import path

from portal.access.views import (
    acting,
    directory,
    exceptions,
    explain,
    grants,
    groups,
    profiles,
    roles,
)

app_name = "access"

urlpatterns = [
    path("", grants.grants, name="grants"),
    path("grant/", grants.grant, name="grant"),
    path("<int:pk>/", grants.change, name="change_grant"),
    path("<int:pk>/end/", grants.end, name="end_grant"),
    path("groups/", groups.groups, name="groups"),
    path("groups/new/", groups.make, name="group_new"),
    path("groups/<int:pk>/", groups.group, name="group"),
    path("groups/<int:pk>/rename/", groups.rename, name="rename_group"),
    path("groups/<int:pk>/end/", groups.end, name="end_group"),
    path("groups/<int:pk>/add/", groups.add, name="add_member"),
    path("groups/members/<int:pk>/remove/", groups.remove, name="remove_member"),
    path("exceptions/", exceptions.exceptions, name="exceptions"),
    path("exceptions/<int:pk>/end/", exceptions.end, name="end_exception"),
    path("exceptions/<str:kind>/<str:key>/", exceptions.of_object, name="exceptions_of"),
    path("roles/", roles.roles, name="roles"),
    path("roles/new/", roles.compose, name="role_new"),
    path("roles/<int:pk>/", roles.compose, name="role"),
    path("directory/", directory.mappings, name="directory"),
    path("directory/new/", directory.add, name="directory_new"),
    path("directory/<int:pk>/end/", directory.end, name="end_mapping"),
    path("profiles/", profiles.profiles, name="profiles"),
    path("profiles/new/", profiles.make, name="profile_new"),
    path("profiles/<int:pk>/", profiles.change, name="profile"),
    path("profiles/<int:pk>/end/", profiles.end, name="end_profile"),
    path("profiles/choose/", profiles.choose, name="choose_profile"),
    path("acting/", acting.act_as, name="act_as"),
    path("acting/stop/", acting.stop, name="stop_acting"),
    path("explain/", explain.explain, name="explain"),
]
