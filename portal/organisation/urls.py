from __future__ import annotations

from django.urls import path

from portal.organisation.views import acts, members, units

app_name = "organisation"

urlpatterns = [
    path("", units.units, name="units"),
    path("new/", units.create, name="unit_new"),
    path("<int:pk>/", units.unit, name="unit"),
    path("<int:pk>/change/", units.change, name="change"),
    path("<int:pk>/move/", acts.move, name="move"),
    path("<int:pk>/merge/", acts.merge, name="merge"),
    path("<int:pk>/close/", acts.close, name="close"),
    path("<int:pk>/reopen/", acts.reopen, name="reopen"),
    path("<int:pk>/people/add/", members.add, name="member_new"),
    path("people/<int:pk>/", members.change, name="member"),
    path("people/<int:pk>/end/", members.end, name="end_member"),
]
