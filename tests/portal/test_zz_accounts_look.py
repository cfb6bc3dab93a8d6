import re
from datetime import date
import pytest
from urllib.parse import urlsplit
from django.urls import reverse
from tests.support.accounts import *
from tests.support.factories import *
from portal.organisation.models import Membership
from portal.access.models import Role
from django.test import Client
from django.conf import settings as S

@pytest.mark.browser
def test_look(page, portal_url, transactional_db):
    bad=[]
    page.on("console", lambda m: bad.append(m.text) if m.type in ("error","warning") else None)
    page.set_viewport_size({"width":1280,"height":800})
    h=make_unit("hospital"); c=make_unit("clinic",h)
    Role.objects.create(code="mgr",name="Manager",module="x",privileges=["accounts.manage_external"])
    ada=make_user("Ada Admin"); give(ada,"access.portal_administrator",h); give(ada,"mgr",h)
    ole=make_external("Ole Ude"); Membership.objects.create(user=ole,unit=c)
    give(ole,"audit.auditor",c)
    page.goto(portal_url+"/accounts/login/"); page.screenshot(path="/tmp/look-accounts/login.png")
    page.fill("[name=username]", ole.username); page.fill("[name=password]", "x"); page.click("text=Go on"); page.screenshot(path="/tmp/look-accounts/login_err.png")
    page.fill("[name=username]", ole.username); page.fill("[name=password]", PASSWORD); page.click("text=Go on"); page.screenshot(path="/tmp/look-accounts/enrol.png", full_page=True)
    page.set_viewport_size({"width":390,"height":800}); page.screenshot(path="/tmp/look-accounts/enrol_phone.png", full_page=True)
    page.set_viewport_size({"width":1280,"height":800})
    cl=Client(); sign_in(cl,ada)
    page.context.add_cookies([{"name":"sessionid","value":cl.cookies["sessionid"].value,"url":portal_url}])
    for name in ("accounts:external","accounts:external_new","accounts:sessions","access:grants","access:grant","access:roles","access:role_new","access:directory"):
        page.goto(portal_url+reverse(name)); page.screenshot(path=f"/tmp/look-accounts/{name.replace(':','_')}.png")
    page.goto(portal_url+reverse("access:explain")+"?person="+ole.username+"&privilege=audit.browse_logs"); page.screenshot(path="/tmp/look-accounts/explain.png", full_page=True)
    page.goto(portal_url+reverse("access:grants")); page.click("table >> text=End >> nth=0"); page.wait_for_selector("dialog[open]"); page.screenshot(path="/tmp/look-accounts/dialog.png")
    page.goto(portal_url+reverse("accounts:external")); page.screenshot(path="/tmp/look-accounts/list.png")
    page.click("table >> text=Ole Ude"); page.screenshot(path="/tmp/look-accounts/account.png")
    page.click("text=Suspend"); page.wait_for_selector("dialog[open]"); page.fill("dialog textarea","left"); page.click("dialog >> text=Suspend the"); page.wait_for_timeout(500); page.screenshot(path="/tmp/look-accounts/suspended.png")
    page.set_viewport_size({"width":390,"height":800}); page.screenshot(path="/tmp/look-accounts/suspended_phone.png", full_page=True)
    print("CONSOLE", bad)
