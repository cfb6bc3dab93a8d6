from __future__ import annotations

from django.urls import path

from portal.inbox import views

app_name = "inbox"

urlpatterns = [
    path("", views.list_messages, name="list"),
    path("<int:pk>/", views.show_message, name="message"),
    path("<int:pk>/content/", views.show_content, name="content"),
    path("<int:pk>/replay/", views.replay, name="replay"),
    path("<int:pk>/correct/", views.correct, name="correct"),
    path("<int:pk>/settle/", views.settle, name="settle"),
]
