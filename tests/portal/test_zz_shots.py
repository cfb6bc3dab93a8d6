import pytest
from django.test import Client
from playwright.sync_api import sync_playwright
from tests.support.factories import make_user, give, make_unit
from portal.access.models import Role, DirectoryGroup
from portal.audit.verification import verify_all
from portal.audit.services import record, log_access, Access
from portal.notifications.services import notify, queue_mail
from portal.notifications.models import OutboxMail
from portal.records.context import acting, ServiceActor
from portal.registry import registry

@pytest.mark.django_db(transaction=True)
def test_shots(portal_url, browser_type_launch_args, monkeypatch):
    p = make_user("Ingrid Vestermark"); u = make_unit("region", name="Region Øresund"); u2=make_unit("nuk-b", u, name="Nuklearmedicinsk Afdeling")
    for r in ("audit.auditor","operations.operator","access.portal_administrator"): give(p, r, u)
    monkeypatch.setitem(registry.quarantined, "qa", "its models do not load: KeyError('x')")
    role = Role.objects.get(code="audit.auditor")
    with acting(actor=p, reason="first set-up of the directory"):
        m = DirectoryGroup.objects.create(name="auditors", role=role, unit=u)
        record("access.mapping_made", m, data={"name": [None,"auditors"], "unit": ["a","b"]})
    with acting(actor=ServiceActor("night job", on_behalf_of=p), reason="moved"):
        m.unit = u2; m.save()
    with acting(actor=p, address="192.0.2.1"):
        log_access(Access.OPEN, m, patient="010190-1234")
    notify(p, "Order 7 is released", url="/operations/"); notify(p, "A batch is recalled", level="alarm"); 
    mail = queue_mail("a@b.invalid", "A message", "x"); mail.state="given_up"; mail.last_error="Connection refused"; mail.attempts=8; mail.save()
    verify_all()
    c = Client(); c.force_login(p, backend="portal.accounts.backends.RegionalIdBackend")
    s = c.cookies["sessionid"].value
    entry = record("access.x", m, data={"name": ["old","new"], "unit": [None,"region"], "n": 4}).pk
    paths = {"home":"/","ops":"/operations/","audit":"/operations/audit/","entry":f"/operations/audit/{entry}/","access":"/operations/access-log/","history":f"/operations/history/access.directorygroup/{m.pk}/","tasks":"/notifications/tasks/","messages":"/notifications/","choices":"/notifications/choices/","print":"/operations/access-log/print/?patient=010190-1234","gone":"/operations/history/gone.x/1/"}
    with sync_playwright() as pw:
        b = pw.chromium.launch(**browser_type_launch_args)
        for size,(w,h) in {"d":(1280,800),"m":(390,800)}.items():
            t = b.new_page(viewport={"width":w,"height":h})
            t.context.add_cookies([{"name":"sessionid","value":s,"url":portal_url}])
            t.on("console", lambda msg: print("CONSOLE", msg.type, msg.text))
            for name, path in paths.items():
                if size=="m" and name not in ("home","ops","audit","history"): continue
                t.goto(portal_url+path); t.wait_for_timeout(1500 if name=="home" else 500)
                print(name, size, t.evaluate("document.documentElement.scrollWidth"))
                t.screenshot(path=f"/tmp/shots/{name}-{size}.png", full_page=True)
        b.close()
