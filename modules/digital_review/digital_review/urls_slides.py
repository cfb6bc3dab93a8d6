"""Addresses of slides."""

from django.urls import path

from digital_review.views import slides

urlpatterns = [
    path("cases/<int:pk>/slides/add/", slides.add, name="slide_add"),
    path("cases/<int:pk>/slides/received/", slides.received, name="slides_received"),
    path("cases/<int:pk>/slides/not-received/", slides.not_received, name="slides_not_received"),
    path("slides/<int:pk>/", slides.viewer, name="slide"),
    path("slides/<int:pk>/change/", slides.change, name="slide_change"),
    path("slides/<int:pk>/remove/", slides.remove, name="slide_remove"),
    path(
        "slides/<int:pk>/tiles/<int:level>/<int:column>_<int:row>.jpeg",
        slides.tile,
        name="slide_tile",
    ),
    path("meetings/<int:pk>/slide-view/", slides.meeting_view, name="meeting_slide_view"),
]
