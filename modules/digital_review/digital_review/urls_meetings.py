"""Addresses of meetings and the meeting room."""

from django.urls import path

from digital_review.views import meeting_list, meetings

urlpatterns = [
    path("meetings/", meetings.meetings, name="meetings"),
    path("meetings/new/", meetings.create, name="meeting_new"),
    path("meetings/<int:pk>/", meetings.meeting, name="meeting"),
    path("meetings/<int:pk>/change/", meetings.change, name="meeting_change"),
    path("meetings/<int:pk>/cancel/", meetings.cancel, name="meeting_cancel"),
    path("meetings/<int:pk>/invite/", meetings.invite, name="meeting_invite"),
    path("meetings/<int:pk>/deputies/<slug:part>/", meetings.name_deputy, name="meeting_deputy"),
    path("meetings/participants/<int:pk>/end/", meetings.uninvite, name="meeting_uninvite"),
    # the list of patients
    path("meetings/<int:pk>/add/", meeting_list.add, name="meeting_add"),
    path("meetings/<int:pk>/add-all/", meeting_list.add_all, name="meeting_add_all"),
    path("meetings/patients/<int:pk>/remove/", meeting_list.remove, name="meeting_remove"),
    path("meetings/patients/<int:pk>/move/", meeting_list.move, name="meeting_move"),
    path("meetings/patients/<int:pk>/place/", meeting_list.place, name="meeting_place"),
]
