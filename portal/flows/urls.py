"""Addresses of the flow editor."""

from django.urls import path

from portal.flows.views import designs, editor, moving, trial

app_name = "flows"

urlpatterns = [
    path("", designs.listing, name="designs"),
    path("new/", designs.new, name="new"),
    path("<int:pk>/", designs.design, name="design"),
    path("<int:pk>/draft/", designs.begin, name="begin"),
    path("<int:pk>/difference/", designs.difference, name="difference"),
    path("<int:pk>/move/", moving.move, name="move"),
    path("versions/<int:pk>/", designs.version, name="version"),
    path("versions/<int:pk>/export/", designs.export, name="export"),
    path("versions/<int:pk>/replace/", designs.replace_draft, name="replace"),
    path("versions/<int:pk>/publish/", designs.publish, name="publish"),
    path("versions/<int:pk>/retire/", designs.retire, name="retire"),
    path("versions/<int:pk>/discard/", designs.discard, name="discard"),
    path("versions/<int:pk>/try/", trial.run, name="trial"),
    path("versions/<int:pk>/edit/", editor.edit, name="edit"),
    path("versions/<int:pk>/edit/keep/", editor.keep, name="keep"),
    path("versions/<int:pk>/edit/act/", editor.act, name="act"),
    path("versions/<int:pk>/edit/guard/", editor.guard, name="guard"),
]
