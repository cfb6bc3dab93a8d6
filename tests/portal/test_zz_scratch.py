import pytest, os
from django.db import connection
from django.db.utils import ProgrammingError, InternalError

@pytest.mark.requirement("OP-001")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("n", range(6))
def test_committed(n):
    from scratchapp.models import Entry
    from wagtail.models import Page, Locale
    assert Entry.objects.count()==0
    assert Page.objects.count()==2 and Locale.objects.count()==1
    Entry.objects.create(text="a")
    Page.objects.all().delete()
    with pytest.raises((InternalError,ProgrammingError)): Entry.objects.all().delete()
    with pytest.raises((InternalError,ProgrammingError)): connection.cursor().execute("truncate scratchapp_entry")

@pytest.mark.django_db
def test_plain():
    from scratchapp.models import Entry
    from wagtail.models import Page
    assert Entry.objects.count()==0 and Page.objects.count()==2
    print(connection.settings_dict["NAME"], os.environ["PORTAL_STATE_DIR"])

@pytest.mark.browser
def test_b(page):
    page.goto("data:text/html,<h1>hej</h1>")
    assert page.inner_text("h1")=="hej"
@pytest.mark.interop
def test_i(interop_data): assert interop_data.is_dir()
@pytest.mark.requirement("TS-001","TS-002")
def test_s(): pytest.skip("no")
