import pytest
from django.test import Client
@pytest.mark.django_db
def test_x():
    from wagtail.models import Page, Site
    print(list(Page.objects.values_list("path","title","depth","numchild","locale_id")), Site.objects.values())
    assert not Page.find_problems()[0]
    c=Client()
    print(c.get("/").status_code, c.get("/health/live").content, c.get("/health/ready").content)
