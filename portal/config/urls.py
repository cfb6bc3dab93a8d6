"""Every address of the portal. Modules are mounted under their label."""

from django.urls import include, path
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls

from portal.registry import registry

urlpatterns = [
    path("oidc/", include("mozilla_django_oidc.urls")),
    path("cms/", include(wagtailadmin_urls)),
    path("i18n/", include("django.conf.urls.i18n")),
]
for module in registry.modules():
    if module.urls:
        urlpatterns.append(path(f"{module.label}/", include(module.urls)))

urlpatterns.append(path("", include(wagtail_urls)))

handler403 = "portal.operations.views.errors.forbidden"
handler404 = "portal.operations.views.errors.not_found"
handler500 = "portal.operations.views.errors.unexpected"
