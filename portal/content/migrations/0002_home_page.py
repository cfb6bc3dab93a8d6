"""A fresh installation leads to the portal's home page, not to Wagtail's welcome."""

from django.conf import settings
from django.db import migrations


def replace_welcome_page(apps, schema_editor):
    ContentType = apps.get_model("contenttypes", "ContentType")
    Page = apps.get_model("wagtailcore", "Page")
    Site = apps.get_model("wagtailcore", "Site")
    Locale = apps.get_model("wagtailcore", "Locale")
    HomePage = apps.get_model("content", "HomePage")
    if HomePage.objects.exists():
        return
    kind = ContentType.objects.filter(app_label="wagtailcore", model="page").first()
    Page.objects.filter(content_type=kind, slug="home", depth=2, numchild=0).delete()
    root = Page.objects.get(depth=1)
    taken = set(Page.objects.filter(depth=2).values_list("path", flat=True))
    path = next(
        path for number in range(1, 36) if (path := f"{root.path}{number:04}") not in taken
    )
    home_kind, _ = ContentType.objects.get_or_create(app_label="content", model="homepage")
    home = HomePage.objects.create(
        title=settings.PORTAL_NAME,
        draft_title=settings.PORTAL_NAME,
        slug="home",
        content_type=home_kind,
        path=path,
        depth=2,
        numchild=0,
        url_path="/home/",
        locale=Locale.objects.first(),
    )
    Page.objects.filter(pk=root.pk).update(numchild=Page.objects.filter(depth=2).count())
    Site.objects.update_or_create(
        is_default_site=True,
        defaults={"hostname": "localhost", "site_name": settings.PORTAL_NAME, "root_page": home},
    )


class Migration(migrations.Migration):
    dependencies = [
        ("content", "0001_initial"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("wagtailcore", "0098_apitoken"),
    ]

    operations = [migrations.RunPython(replace_welcome_page, migrations.RunPython.noop)]
