"""Every address of the portal. Modules are mounted under their label."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.generic import RedirectView, TemplateView
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls

from portal.operations.charts import example_chart
from portal.operations.views import health, metrics
from portal.registry import registry

to_login = login_not_required(
    RedirectView.as_view(pattern_name="accounts:login", query_string=True)
)

urlpatterns = [
    path("health/live", health.live, name="health_live"),
    path("health/ready", health.ready, name="health_ready"),
    path("metrics", metrics.metrics, name="metrics"),
    # there is one login; Wagtail's own would ask for no second factor
    path("cms/login/", to_login, name="cms_login"),
    path("_util/login/", to_login, name="page_login"),
    path("cms/", include(wagtailadmin_urls)),
]
for module in registry.modules():
    if module.urls:
        try:
            urlpatterns.append(path(f"{module.label}/", include(module.urls)))
        except Exception as error:
            if module.is_portal:
                raise
            registry.quarantine(module.label, f"its pages do not load: {error!r}")

if getattr(settings, "PORTAL_DEMO", False):
    gallery = TemplateView.as_view(
        template_name="design/gallery.html", extra_context={"example_chart": example_chart}
    )
    urlpatterns.append(path("design/", gallery, name="design"))

urlpatterns.append(path("", include(wagtail_urls)))

handler403 = "portal.operations.views.errors.forbidden"
handler404 = "portal.operations.views.errors.not_found"
handler500 = "portal.operations.views.errors.unexpected"
