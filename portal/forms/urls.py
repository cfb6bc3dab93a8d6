"""Addresses of the form editor."""

from django.urls import path

from portal.forms.views import designs, designs_editor, designs_preview, designs_rules

app_name = "forms"

urlpatterns = [
    path("", designs.designs, name="designs"),
    path("new/", designs.new, name="new"),
    path("import/", designs.import_file, name="import"),
    path("<int:pk>/", designs.design, name="design"),
    path("<int:pk>/copy/", designs.copy, name="copy"),
    path("<int:pk>/edit/", designs.edit, name="edit"),
    path("<int:pk>/difference/", designs.difference, name="difference"),
    path("version/<int:pk>/export/", designs.export, name="export"),
    path("version/<int:pk>/publish/", designs.publish, name="publish"),
    path("version/<int:pk>/retire/", designs.retire, name="retire"),
    path("version/<int:pk>/discard/", designs.discard, name="discard"),
    path("version/<int:pk>/try/", designs_preview.try_version, name="try"),
    path("version/<int:pk>/preview/", designs_preview.preview, name="preview"),
    path("draft/<int:pk>/", designs_editor.editor, name="editor"),
    path("draft/<int:pk>/change/", designs_editor.change, name="change"),
    path("draft/<int:pk>/rule/", designs_rules.rule, name="rule"),
]
