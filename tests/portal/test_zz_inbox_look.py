import pytest
from django.test import Client
from tests.portal.test_inbox_pages import received, quarantined
from tests.support.factories import *
from tests.support.inbox_dummy import install
@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_look(portal_url, context, page, monkeypatch):
    install(monkeypatch)
    u = make_user("Olga Nørgaard"); give(u, "inbox.operator", make_unit("production"))
    c = Client(); c.force_login(u)
    context.add_cookies([{"name":"sessionid","value":c.cookies["sessionid"].value,"url":portal_url}])
    received(4); bad = quarantined(); received(2)
    errors=[]; page.on("console", lambda m: errors.append(m.text) if m.type=="error" else None)
    page.set_viewport_size({"width":1280,"height":800})
    page.goto(portal_url+"/inbox/"); page.screenshot(path="/tmp/inbox1.png")
    page.goto(portal_url+f"/inbox/{bad}/"); page.click("text=Show the content"); page.wait_for_selector("#inbox-content pre"); page.screenshot(path="/tmp/inbox2.png", full_page=True)
    page.click("text=Replay…"); page.screenshot(path="/tmp/inbox3.png")
    page.goto(portal_url+f"/inbox/{bad}/correct/"); page.screenshot(path="/tmp/inbox4.png")
    page.set_viewport_size({"width":390,"height":800}); page.goto(portal_url+"/inbox/"); page.screenshot(path="/tmp/inbox5.png")
    # live
    page.set_viewport_size({"width":1280,"height":800}); page.goto(portal_url+"/inbox/"); page.wait_for_timeout(1500)
    from portal.inbox.services import settle_message
    settle_message(actor=u, message_id=bad, reason="x")
    page.wait_for_selector("#in-quarantine", state="detached", timeout=20000)
    print("LIVE OK", errors)
