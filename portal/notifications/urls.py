from __future__ import annotations

from django.urls import URLPattern, path

from portal.notifications import views

app_name = "notifications"

urlpatterns: list[URLPattern] = [
    path("", views.notifications, name="list"),
    path("count/", views.unread_count, name="unread_count"),
    path("<int:pk>/read/", views.mark_read, name="read"),
    path("read/", views.mark_all_read, name="read_all"),
    path("choices/", views.choices, name="choices"),
    path("tasks/", views.tasks, name="tasks"),
    path("tasks/list/", views.task_list, name="task_list"),
    path("tasks/count/", views.task_count, name="task_count"),
    path("outbox/", views.outbox, name="outbox"),
    path("outbox/<int:pk>/retry/", views.retry_mail, name="retry_mail"),
    path("outbox/<int:pk>/give-up/", views.give_up_mail, name="give_up_mail"),
]
