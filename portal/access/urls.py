from __future__ import annotations

from django.urls import path

from portal.access.views import directory, explain, grants, roles

app_name = "access"

urlpatterns = [
    path("", grants.grants, name="grants"),
    path("grant/", grants.grant, name="grant"),
    path("<int:pk>/end/", grants.end, name="end_grant"),
    path("roles/", roles.roles, name="roles"),
    path("roles/new/", roles.compose, name="role_new"),
    path("roles/<int:pk>/", roles.compose, name="role"),
    path("directory/", directory.mappings, name="directory"),
    path("directory/new/", directory.add, name="directory_new"),
    path("directory/<int:pk>/end/", directory.end, name="end_mapping"),
    path("explain/", explain.explain, name="explain"),
]
