from django.urls import path

from dummy import views

app_name = "dummy"
urlpatterns = [path("", views.things, name="list")]
