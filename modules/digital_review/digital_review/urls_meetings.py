"""Addresses of meetings and the meeting room."""

from django.urls import path

from digital_review.views import findings, meeting_list, meetings, minutes, room, room_acts

urlpatterns = [
    path("meetings/", meetings.meetings, name="meetings"),
    path("meetings/new/", meetings.create, name="meeting_new"),
    path("meetings/<int:pk>/", meetings.meeting, name="meeting"),
    path("meetings/<int:pk>/change/", meetings.change, name="meeting_change"),
    path("meetings/<int:pk>/cancel/", meetings.cancel, name="meeting_cancel"),
    path("meetings/<int:pk>/invite/", meetings.invite, name="meeting_invite"),
    path("meetings/<int:pk>/deputies/<slug:part>/", meetings.name_deputy, name="meeting_deputy"),
    path("meetings/participants/<int:pk>/end/", meetings.uninvite, name="meeting_uninvite"),
    path("meetings/<int:pk>/video/", findings.video, name="meeting_video"),
    path("meetings/<int:pk>/findings/", findings.findings, name="meeting_findings"),
    path("meetings/findings/<int:pk>/sign/", findings.sign, name="finding_sign"),
    # the list of patients
    path("meetings/<int:pk>/add/", meeting_list.add, name="meeting_add"),
    path("meetings/<int:pk>/add-all/", meeting_list.add_all, name="meeting_add_all"),
    path("meetings/patients/<int:pk>/remove/", meeting_list.remove, name="meeting_remove"),
    path("meetings/patients/<int:pk>/move/", meeting_list.move, name="meeting_move"),
    path("meetings/patients/<int:pk>/place/", meeting_list.place, name="meeting_place"),
    # the room: its parts
    path("meetings/<int:pk>/room/", room.room, name="room"),
    path("meetings/<int:pk>/room/agenda/", room.agenda, name="room_agenda"),
    path("meetings/<int:pk>/room/patient/", room.patient, name="room_patient"),
    path("meetings/<int:pk>/room/follow/", room.follow, name="room_follow"),
    path("meetings/<int:pk>/room/minutes/", room.minutes, name="room_minutes"),
    path("meetings/<int:pk>/room/here/", room.here, name="room_here"),
    path("meetings/patients/<int:pk>/written/", room.written, name="room_written"),
    path("meetings/patients/<int:pk>/opinions/", room.opinions, name="room_opinions"),
    path("meetings/patients/<int:pk>/forms/<int:form_pk>/", room.form, name="room_form"),
    # the room: what people do
    path("meetings/<int:pk>/room/start/", room_acts.start, name="room_start"),
    path("meetings/<int:pk>/room/end/", room_acts.end, name="room_end"),
    path("meetings/<int:pk>/room/pen/", room_acts.take_pen, name="room_take_pen"),
    path("meetings/<int:pk>/room/pen/back/", room_acts.give_pen, name="room_give_pen"),
    path("meetings/patients/<int:pk>/show/", room_acts.show, name="room_show"),
    path("meetings/patients/<int:pk>/write/", minutes.write, name="room_write"),
    path("meetings/patients/<int:pk>/opinion/", room_acts.opine, name="room_opine"),
    path("meetings/patients/<int:pk>/disclose/", room_acts.disclose, name="room_disclose"),
    path("meetings/patients/<int:pk>/minority/", room_acts.minority, name="room_minority"),
    path("meetings/patients/<int:pk>/finish/", room_acts.finish, name="room_finish"),
    path("meetings/patients/<int:pk>/postpone/", room_acts.postpone, name="room_postpone"),
]
