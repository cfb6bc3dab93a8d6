import os
from datetime import date, time

import pytest
from django.test import Client
from playwright.sync_api import sync_playwright
from tracershop.models import *
from tracershop.services.release import ReleaseRequest, release_orders

from portal.signing.services import unlock
from tests.support.accounts import sign_in
from tests.support.signing import PIN, give_pin
from tests.tracershop.factories import *

OUT = "/tmp/look"
os.makedirs(OUT, exist_ok=True)
TUE = date(2026, 11, 24)

def build(w):
    RunTue = w.slots_a[1].run
    for t in (time(9,30), time(11,0)):
        DeliverySlot.objects.create(endpoint=w.endpoint_a, run=RunTue, weekday=1, deliver_time=t)
    day0 = date(2026,11,19)
    slot = w.slots_a[3]
    done = make_order(w, day=day0, slot=slot, activity_mbq=8200.0, status="accepted")
    pre = make_order(w, day=day0, slot=slot, activity_mbq=900.0, intended_use="animal", status="rejected", status_reason="The cyclotron is down until noon")
    v = Vial.objects.create(lot="FDG-261119-1", tracer=w.fdg, customer=w.customer_a, customer_label="1-Nordby", filled_at=local(day0,7,10), activity_mbq=13200.5, volume_ml=9.4, expires_at=local(day0,18,30), position="3")
    v2 = Vial.objects.create(lot="FDG-261119-1", tracer=w.fdg, customer=w.customer_a, customer_label="1-Nordby", filled_at=local(day0,7,14), activity_mbq=3200.5, volume_ml=2.4, expires_at=local(day0,18,30), position="4")
    give_pin(w.producer)
    Batch.objects.create(lot="FDG-261119-1", tracer=w.fdg, status="released")
    try:
        release_orders(actor=w.producer, requests=[ReleaseRequest(done.pk, frozenset({v.pk, v2.pk}), confirmed=frozenset({"other_day"}))], signer=unlock(w.producer, PIN), now=local(day0,7,40))
    except Exception as e:
        print("RELEASE", e, getattr(e,"details",None))
    make_order(w, day=TUE, slot=w.slots_a[1], activity_mbq=4250.0, comment="Two patients at 09:00 and one at 09:40")
    make_order(w, day=TUE, injections=2, deliver_at=local(TUE,10,30))
    make_order(w, day=date(2026,11,25), slot=w.slots_a[2], activity_mbq=7000.0, status="accepted")
    ClosedDay.objects.create(day=date(2026,12,24), name="Christmas Eve")
    ClosedDay.objects.create(day=date(2026,11,27), name="Maintenance of the cyclotron")
    map_fdg(w)
    ProcedureMapping.objects.create(procedure_code="H2O-BRAIN", endpoint=w.endpoint_a, tracer=w.water, units=2, delay_min=15)
    for n,(h,m,code,text,room) in enumerate([(8,30,"FDG-WB","PET/CT, FDG whole body","PET-1"),(9,15,"FDG-WB","PET/CT, FDG whole body","PET-1"),(10,0,"FDG-WB","PET/CT, FDG whole body","PET-1"),(11,0,"FDG-WB","PET/CT, FDG whole body","PET-1"),(7,0,"FDG-WB","PET/CT, FDG whole body","PET-1"),(12,0,"H2O-BRAIN","Water, brain perfusion","PET-1"),(13,0,"NAF-BONE","PET/CT, NaF bone","PET-1"),(13,0,"FDG-WB","PET/CT, FDG whole body","PET-7"),(14,0,"FDG-WB","PET/CT, FDG whole body","PET-7")]):
        make_booking(f"DKN00{n:05d}", local(TUE,h,m), procedure_code=code, procedure_text=text, room=room)
    c = Customer.objects.create(name="Nordby Research Animals", unit=w.customer_a.unit, dispenser_id=9)
    Representation.objects.create(user=w.secretary, customer=c)
    Representation.objects.create(user=w.external, customer=w.customer_a)

@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_look(portal_url, settings):
    from tests.support.browsers import find_browser
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    w = shop_world(); build(w)
    lang = os.environ.get("LOOK_LANG", "en")
    for u in (w.secretary, w.superuser): u.language = lang; u.save()
    cookies = {}
    for name in ("secretary", "superuser", "producer"):
        c = Client(); sign_in(c, getattr(w, name)); cookies[name] = c.cookies["sessionid"].value
    order = Order.objects.filter(deliver_on=TUE, kind="activity").get()
    S="/tracershop/shop/?day=2026-11-24&customer=%d" % w.customer_a.pk
    pages = [("shop", "secretary", S), ("shop19", "secretary", "/tracershop/shop/?day=2026-11-19"), ("shop27","secretary","/tracershop/shop/?day=2026-11-27"), ("shop22","secretary","/tracershop/shop/?day=2026-11-22"),
             ("bookings","superuser","/tracershop/bookings/?day=2026-11-24"), ("mappings","superuser","/tracershop/mappings/"), ("representatives","superuser","/tracershop/representatives/"), ("orders","secretary","/tracershop/orders/?column=comment"),
             ("ordernojs","secretary",f"/tracershop/shop/order/?slot={w.slots_a[1].pk}&day=2026-11-24"),("production","producer",f"/tracershop/shop/?day=2026-11-23&customer={w.customer_a.pk}"),("map","superuser",f"/tracershop/mappings/procedure/?endpoint={w.endpoint_a.pk}&procedure=NAF-BONE")]
    only = os.environ.get("LOOK", "").split(",") if os.environ.get("LOOK") else None
    with sync_playwright() as p:
        b = p.chromium.launch(executable_path=find_browser(), args=["--no-sandbox","--disable-dev-shm-usage"])
        for size, (vw, vh) in {"wide": (1280, 800), "phone": (390, 844)}.items():
            for scheme in (("light","dark") if size=="wide" else ("light",)):
                for name, who, url in pages:
                    if only and name not in only: continue
                    if scheme == "dark" and name not in ("shop","shop19","bookings"): continue
                    ctx = b.new_context(viewport={"width": vw, "height": vh}, color_scheme=scheme)
                    ctx.add_cookies([{"name": "sessionid", "value": cookies[who], "url": portal_url}])
                    page = ctx.new_page()
                    page.on("console", lambda m, n=name: print(n, "CONSOLE", m.type, m.text) if m.type in ("error","warning") else None)
                    page.goto(portal_url + url); page.wait_for_timeout(500)
                    page.screenshot(path=f"{OUT}/{name}-{size}-{scheme}.png", full_page=True)
                    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
                    if wide: print(name, size, "OVERFLOWS", page.evaluate("document.documentElement.scrollWidth"))
                    ctx.close()
                if only and "dialog" not in only: continue
                ctx = b.new_context(viewport={"width": vw, "height": vh}, color_scheme=scheme)
                ctx.add_cookies([{"name": "sessionid", "value": cookies["secretary"], "url": portal_url}])
                page = ctx.new_page()
                page.on("console", lambda m: print("DIALOG CONSOLE", m.type, m.text) if m.type in ("error","warning") else None)
                page.goto(portal_url + S)
                page.locator("a:has-text('Order…'), a:has-text('Bestil…')").first.click(); page.wait_for_selector("#order-dialog[open]")
                page.fill("#row-time-1", "9.30"); page.fill("#row-mbq-1", "300,5"); page.keyboard.press("Tab"); page.wait_for_timeout(700)
                page.locator("button[value=add_row]").click(); page.wait_for_selector("#row-time-2")
                print("focused", page.evaluate("document.activeElement.id"), page.input_value("#id_activity_mbq"))
                page.keyboard.type("7:00"); page.keyboard.press("Tab"); page.keyboard.type("250"); page.keyboard.press("Enter"); page.wait_for_timeout(700)
                page.screenshot(path=f"{OUT}/dialog-error-{size}-{scheme}.png")
                page.fill("#row-time-2", "1000"); page.keyboard.press("Tab"); page.wait_for_timeout(700)
                print("amount", page.input_value("#id_activity_mbq"))
                page.screenshot(path=f"{OUT}/dialog-{size}-{scheme}.png")
                page.locator("#order-form .form__foot button[value=order]").click(); page.wait_for_url("**/shop/**"); page.wait_for_timeout(800)
                page.screenshot(path=f"{OUT}/after-{size}-{scheme}.png", full_page=True)
                page.locator("a[hx-get*=delete]").first.click(); page.wait_for_selector("#delete-dialog[open]"); page.wait_for_timeout(300)
                page.screenshot(path=f"{OUT}/delete-{size}-{scheme}.png")
                ctx.close()
        b.close()

@pytest.mark.django_db
def test_diff(client):
    import difflib
    import re
    w = shop_world(); build(w)
    sign_in(client, w.superuser)
    for u in ("/tracershop/bookings/?day=2026-11-24", "/tracershop/mappings/", "/tracershop/shop/?day=2026-11-24"):
        a = client.get(u).content.decode()
        keys = re.findall(r'name="known" value="(\d+)"', a)
        u2 = u + ("&" + "&".join(f"known={k}&booking={k}" for k in keys) if keys else "")
        b = client.get(u2, HTTP_HX_REQUEST="true").content.decode()
        print(u, b.strip() in a)
        if b.strip() not in a:
            la, lb = a.splitlines(), b.splitlines()
            for l in difflib.unified_diff(la, lb, lineterm="", n=0):
                if l.startswith("+"): print(l[:200])

@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_fresh(portal_url):
    from tests.support.browsers import find_browser
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    w = shop_world(); build(w)
    c = Client(); sign_in(c, w.superuser)
    with sync_playwright() as p:
        b = p.chromium.launch(executable_path=find_browser(), args=["--no-sandbox","--disable-dev-shm-usage"])
        for url in ("/tracershop/bookings/?day=2026-11-24","/tracershop/mappings/"):
            ctx = b.new_context(viewport={"width": 1280, "height": 800})
            ctx.add_cookies([{"name": "sessionid", "value": c.cookies["sessionid"].value, "url": portal_url}])
            page = ctx.new_page()
            page.on("console", lambda m: print("CONSOLE", m.type, m.text) if m.type in ("error","warning") else None)
            page.add_init_script("""document.addEventListener('htmx:beforeSwap', e => { window.before = e.detail.target.innerHTML; window.resp = e.detail.serverResponse; window.live = e.detail.requestConfig.triggeringEvent?.type; window.should = e.detail.shouldSwap }, true)""")
            page.goto(portal_url + url); page.wait_for_timeout(1500)
            before, resp = page.evaluate("window.before"), page.evaluate("window.resp")
            print(url, page.evaluate("window.live"), "fresh", page.evaluate("document.querySelectorAll('.is-fresh').length"))
            norm = page.evaluate("() => { const t = document.createElement('template'); t.innerHTML = window.resp.trim(); const d=document.createElement('div'); d.append(t.content); return d.innerHTML }")
            import difflib
            for l in difflib.unified_diff((before or "").strip().splitlines(), norm.strip().splitlines(), lineterm="", n=0): print(l[:220])
            if "bookings" in url:
                boxes = page.locator("input[name=booking]")
                boxes.nth(0).uncheck(); page.wait_for_timeout(60); boxes.nth(1).uncheck(); page.wait_for_timeout(1200)
                print([boxes.nth(i).is_checked() for i in range(boxes.count())], page.locator(".planned__confirm button.button--primary").inner_text(), page.locator(".planned__amount").all_inner_texts())
                import threading

                from tracershop.selectors.topics import BOOKINGS

                from portal.live.services import publish
                t = threading.Thread(target=lambda: (make_booking("NEW1", local(TUE,10,30)), publish(BOOKINGS, "booked"))); t.start(); t.join()
                page.wait_for_timeout(1500)
                print([boxes.nth(i).is_checked() for i in range(boxes.count())], page.locator(".planned__confirm button.button--primary").inner_text(), page.locator(".planned__amount").all_inner_texts())
                page.locator(".planned__confirm button.button--primary").click(); page.wait_for_timeout(1500)
                page.screenshot(path="/tmp/look/bookings-ordered.png", full_page=True)
        b.close()
