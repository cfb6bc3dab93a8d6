"""The set-up pages as a production admin uses them: lists, forms, doubts, closed days."""

from __future__ import annotations

from datetime import date, time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from tracershop.models import (
    CatalogueEntry,
    ClosedDay,
    Contact,
    Customer,
    DeliverySlot,
    Endpoint,
    Isotope,
    Order,
    OrderDeadline,
    ProductionRun,
    QualityTest,
    Tracer,
)
from tracershop.views.setup_pages import PAGES

from portal.accounts.models import User
from portal.operations.templatetags.portal_formats import day
from tests.support.accounts import sign_in
from tests.support.factories import give, make_unit, make_user
from tests.tracershop.factories import MONDAY, make_order, shop_world, stop_clock

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("TS-100")]


@pytest.fixture
def world(monkeypatch):
    stop_clock(monkeypatch)
    return shop_world()


@pytest.fixture
def admin(client, world):
    sign_in(client, world.production_admin)
    return client


def url(name, *args):
    return reverse(f"tracershop:setup_{name}", args=args)


def shown(response):
    return response.content.decode()


def queries_of(client, address):
    client.get(address)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


# --- every page -----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_list_says_what_to_do_where_there_is_nothing(page, client):
    boss = make_user("Boss")
    give(boss, "tracershop.production_admin", make_unit("region"))
    sign_in(client, boss)
    text = shown(client.get(page.url()))
    assert "Nothing here yet" in text
    assert str(page.empty) in text
    assert f'href="{page.url("new")}"' in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_record_of_a_list_opens_and_says_who_changed_it_last(page, admin, world):
    Contact.objects.create(customer=world.customer_a, name="Lis", phone="1234")
    ClosedDay.objects.create(day=MONDAY, name="Closed")
    QualityTest.objects.create(tracer=world.fdg, name="pH", lower_limit=4.5, upper_limit=7.5)
    row = page.rules.model.objects.order_by("pk").first()
    assert f'id="row-{row.pk}"' in shown(admin.get(page.url()))
    text = shown(admin.get(page.url("edit", row.pk)))
    assert reverse("operations:history", args=[row._meta.label_lower, row.pk]) in text
    assert "Last changed" in text


@pytest.mark.requirement("PT-020")
def test_the_history_of_a_tracer_is_there_for_production_and_for_no_shop(client, world):
    address = reverse("operations:history", args=["tracershop.tracer", world.fdg.pk])
    for person, status in ((world.production_admin, 200), (world.producer, 200),
                           (world.secretary, 404)):  # fmt: skip
        sign_in(client, person)
        assert client.get(address).status_code == status


@pytest.mark.requirement("TS-006")
@pytest.mark.parametrize("who", ["producer", "superuser", "secretary", "external"])
def test_the_set_up_is_the_production_admins(client, world, who):
    sign_in(client, getattr(world, who))
    for address in (reverse("tracershop:setup"), url("slots"), url("slots_new"),
                    url("slots_edit", world.slot_a.pk), url("slots_end", world.slot_a.pk),
                    url("customer", world.customer_a.pk), url("propose_days"), url("external"),
                    url("external_new"), url("external_another")):  # fmt: skip
        assert client.get(address).status_code == 403
        assert client.post(address, {}).status_code in (403, 405)
    assert 'href="/tracershop/setup/"' not in shown(client.get("/"))


def test_lists_and_the_customers_page_take_as_many_queries_for_many_as_for_one(admin, world):
    addresses = [reverse("tracershop:setup"), url("customers"), url("slots"), url("catalogue"),
                 url("customer", world.customer_a.pk)]  # fmt: skip
    before = [queries_of(admin, address) for address in addresses]
    for number in range(8):
        customer = Customer.objects.create(name=f"C{number}", unit=world.region)
        for owner in (customer, world.customer_a):
            endpoint = Endpoint.objects.create(customer=owner, name=f"E{number}")
            CatalogueEntry.objects.create(endpoint=endpoint, tracer=world.fdg)
            CatalogueEntry.objects.create(endpoint=endpoint, tracer=world.water)
            for run in ProductionRun.objects.all()[:3]:
                DeliverySlot.objects.create(
                    endpoint=endpoint, run=run, weekday=run.weekday, deliver_time=time(12)
                )
            Contact.objects.create(customer=owner, name="Lis", phone="1234")
    assert [queries_of(admin, address) for address in addresses] == before


def test_a_list_is_narrowed_by_what_one_types(admin, world):
    text = shown(admin.get(url("endpoints"), {"text": "søndersø"}))
    assert "Søndersø PET" in text
    assert "Nordby PET" not in text
    assert "Nothing fits the filter" in shown(admin.get(url("endpoints"), {"text": "zzz"}))


# --- a slot ---------------------------------------------------------------------------------------


@pytest.mark.requirement("TS-002")
def test_a_slot_is_added_from_the_customers_page_and_leads_back_there(admin, world):
    here = url("customer", world.customer_a.pk)
    page = shown(admin.get(here))
    new = f"{url('slots_new')}?endpoint={world.endpoint_a.pk}&back={here}"
    assert new.replace("&", "&amp;") in page
    assert f'value="{world.endpoint_a.pk}" selected' in shown(admin.get(new))
    sent = {"endpoint": world.endpoint_a.pk, "run": world.slot_a.run.pk, "weekday": "",
            "deliver_time": "9.30", "parity": "even", "expires_on": ""}  # fmt: skip
    answer = admin.post(new, sent)
    assert (answer.status_code, answer["Location"]) == (302, here)
    slot = DeliverySlot.objects.get(parity="even")
    assert (slot.weekday, slot.deliver_time) == (0, time(9, 30))
    assert "09:30 even weeks" in shown(admin.get(here))


def test_one_more_like_it_begins_with_what_was_typed(admin, world):
    sent = {"endpoint": world.endpoint_a.pk, "run": world.slot_a.run.pk, "weekday": "",
            "deliver_time": "09:30", "parity": "even", "reason": "r", "again": "1"}  # fmt: skip
    answer = admin.post(f"{url('slots_new')}?back=/tracershop/setup/", sent)
    text = shown(admin.get(answer["Location"]))
    assert f'value="{world.endpoint_a.pk}" selected' in text
    assert 'value="even" selected' in text
    assert 'value="09:30"' in text
    assert "back=%2Ftracershop%2Fsetup%2F" in answer["Location"]
    assert DeliverySlot.objects.filter(parity="even").count() == 1


@pytest.mark.requirement("TS-002")
def test_a_doubt_is_shown_and_its_tick_saves(admin, world):
    sent = {"endpoint": world.endpoint_a.pk, "run": world.slot_a.run.pk, "weekday": "0",
            "deliver_time": "06:00", "parity": "every"}  # fmt: skip
    answer = admin.post(url("slots_new"), sent)
    assert answer.status_code == 422
    assert "Delivered at 06:00, before the end of synthesis at 06:30." in shown(answer)
    assert 'value="before_synthesis"' in shown(answer)
    ticked = {**sent, "confirmed": "before_synthesis"}
    assert admin.post(url("slots_new"), ticked).status_code == 302


@pytest.mark.requirement("TS-002")
def test_a_change_shows_what_orders_keep_and_leaves_them(admin, world):
    order = make_order(world)
    address = url("slots_edit", world.slot_a.pk)
    assert "Orders to come: 1" in shown(admin.get(address))
    sent = {"run": world.slot_a.run.pk, "weekday": "0", "deliver_time": "08:30",
            "parity": "every", "version": 1, "reason": "later lorry"}  # fmt: skip
    answer = admin.post(address, sent)
    assert "They stay as they are" in shown(answer)
    assert admin.post(address, {**sent, "confirmed": "orders_stay"}).status_code == 302
    world.slot_a.refresh_from_db()
    assert (world.slot_a.deliver_time, world.slot_a.endpoint) == (time(8, 30), world.endpoint_a)
    assert Order.objects.get().deliver_at == order.deliver_at


def test_a_change_without_a_reason_or_with_nonsense_is_not_saved(admin, world):
    address = url("slots_edit", world.slot_a.pk)
    for wrong in (
        {"reason": ""}, {"deliver_time": "25:00"}, {"run": "x"}, {"run": "99999"},
        {"parity": "thrice"}, {"weekday": "8"}, {"expires_on": "2026-02-30"},
    ):  # fmt: skip
        sent = {"run": world.slot_a.run.pk, "weekday": "0", "deliver_time": "08:30",
                "parity": "every", "version": 1, "reason": "later", **wrong}  # fmt: skip
        answer = admin.post(address, sent)
        assert answer.status_code == 422, wrong
        assert "This is not saved yet" in shown(answer)
    world.slot_a.refresh_from_db()
    assert world.slot_a.version == 1


@pytest.mark.requirement("PT-022")
def test_the_second_of_two_savers_chooses_field_by_field(admin, world):
    address = url("endpoints_edit", world.endpoint_a.pk)
    first = {"name": "PET North", "version": 1, "reason": "renamed"}
    assert admin.post(address, first).status_code == 302
    second = admin.post(address, {**first, "name": "PET South"})
    assert second.status_code == 409
    assert "PET North" in shown(second)
    chosen = {"merge-asked": "name", "merge-choice-name": "yours", "merge-opened": 1}
    again = {"name": "PET South", "version": 2, "reason": "renamed", **chosen}
    assert admin.post(address, again).status_code == 302
    world.endpoint_a.refresh_from_db()
    assert world.endpoint_a.name == "PET South"


def test_a_slot_is_ended_with_a_reason_and_not_while_orders_are_to_come(admin, world):
    order = make_order(world)
    address = url("slots_end", world.slot_a.pk)
    answer = admin.post(address, {"reason": "not used"})
    assert answer.status_code == 422
    assert "Orders to come: 1" in shown(answer)
    assert address not in shown(admin.get(url("slots_edit", world.slot_a.pk)))
    order.status = Order.Status.REJECTED
    order.save()
    assert admin.post(address, {"reason": ""}).status_code == 422
    assert admin.post(address, {"reason": "not used"}).status_code == 302
    assert not DeliverySlot.objects.filter(pk=world.slot_a.pk).exists()
    assert reverse("operations:removed_of", args=["tracershop.deliveryslot"]) in shown(
        admin.get(url("slots"))
    )


@pytest.mark.requirement("PT-016")
@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_a_form_leads_back_to_pages_of_ours_alone(admin, world, back):
    answer = admin.post(
        f"{url('endpoints_new')}?back={back}", {"customer": world.customer_a.pk, "name": "X"}
    )
    assert answer["Location"] == url("endpoints")


# --- the other forms ------------------------------------------------------------------------------


@pytest.mark.requirement("TS-001")
def test_a_customer_is_set_up_with_contacts_endpoints_and_catalogue(admin, world):
    admin.post(
        url("customers_new"),
        {
            "name": "Company",
            "unit": world.region.pk,
            "dispenser_id": "9",
            "external": "on",
            "address": "Vej 1",
        },
    )
    customer = Customer.objects.get(name="Company")
    assert (customer.dispenser_id, customer.external) == (9, True)
    admin.post(
        url("contacts_new"),
        {"customer": customer.pk, "name": "Lis", "phone": "+45 1", "order": "1"},
    )
    admin.post(url("endpoints_new"), {"customer": customer.pk, "name": "Stable"})
    endpoint = Endpoint.objects.get(customer=customer)
    admin.post(
        url("catalogue_new"),
        {
            "endpoint": endpoint.pk,
            "tracer": world.fdg.pk,
            "overhead_factor": "1,25",
            "max_injections": "0",
        },
    )
    text = shown(admin.get(url("customer", customer.pk)))
    for part in ("Vej 1", "Lis", "+45 1", "Stable", "FDG", "1.25"):
        assert part in text


def test_a_duplicate_is_a_sentence_on_the_form(admin, world):
    sent = {"customer": world.customer_a.pk, "name": "Nordby PET"}
    answer = admin.post(url("endpoints_new"), sent)
    assert answer.status_code == 422
    assert "The customer has an endpoint of this name already." in shown(answer)
    again = {"name": "FDG", "isotope": world.fdg.isotope.pk, "kind": "activity",
             "lot_prefix": "FDG", "shelf_life_min": "600", "min_vial_mbq": "1",
             "max_vial_mbq": "100", "min_vial_ml": "0,1", "max_vial_ml": "50"}  # fmt: skip
    assert admin.post(url("tracers_new"), again).status_code == 422
    assert Tracer.objects.count() == 2


def test_half_life_and_source_come_from_the_table_and_another_needs_its_own_source(admin, world):
    assert "Ga-68: 67.71 min" in shown(admin.get(url("isotopes_new")))
    assert admin.post(url("isotopes_new"), {"symbol": "Ga-68"}).status_code == 302
    gallium = Isotope.objects.get(symbol="Ga-68")
    assert gallium.half_life_s == pytest.approx(4062.6)
    assert "ICRP Publication 107" in gallium.source
    address = url("isotopes_edit", gallium.pk)
    sent = {"half_life_s": "4070,4", "source": gallium.source, "version": 1, "reason": "newer"}
    answer = admin.post(address, sent)
    assert answer.status_code == 422
    assert "say which source" in shown(answer)
    assert admin.post(address, {**sent, "source": "DDEP 2014"}).status_code == 302
    gallium.refresh_from_db()
    assert (gallium.half_life_s, gallium.source) == (4070.4, "DDEP 2014")
    assert admin.post(url("isotopes_new"), {"symbol": "Xx-1"}).status_code == 422


@pytest.mark.requirement("TS-004")
def test_deadlines_of_three_kinds_are_set_and_none_is_ended(admin, world):
    sent = {"order_kind": "isotope", "kind": "weekly", "at": "13:00"}
    assert admin.post(url("deadlines_new"), {**sent, "weekday": ""}).status_code == 422
    assert admin.post(url("deadlines_new"), {**sent, "weekday": "3"}).status_code == 302
    daily = {"kind": "daily", "weekday": "3", "at": "12:00", "version": 1, "reason": "earlier"}
    deadline = OrderDeadline.objects.get(order_kind="isotope")
    assert admin.post(url("deadlines_edit", deadline.pk), daily).status_code == 302
    deadline.refresh_from_db()
    assert (deadline.kind, deadline.weekday) == ("daily", None)


@pytest.mark.requirement("TS-046")
def test_a_quality_test_has_limits_and_a_stage(admin, world):
    sent = {"tracer": world.fdg.pk, "name": "pH", "lower_limit": "4,5", "upper_limit": "7,5",
            "stage": "full", "order": "1"}  # fmt: skip
    wrong = admin.post(url("quality-tests_new"), {**sent, "upper_limit": "4"})
    assert "The upper limit is below the lower one." in shown(wrong)
    admin.post(url("quality-tests_new"), sent)
    test = QualityTest.objects.get()
    assert (test.lower_limit, test.upper_limit, test.stage) == (4.5, 7.5, "full")


# --- closed days ----------------------------------------------------------------------------------


@pytest.mark.requirement("TS-002")
def test_the_holidays_of_a_year_are_proposed_and_closed_at_once(admin, world):
    ClosedDay.objects.create(day=date(2027, 1, 1), name="Nytårsdag")
    make_order(world, day=date(2027, 3, 29))
    address = f"{url('propose_days')}?year=2027"
    text = shown(admin.get(address))
    assert 'value="2027-01-01"' not in text  # is closed already
    assert 'value="2027-03-26" checked' in text
    assert 'value="2027-12-24">' in text  # an option, not ticked
    row = text.split('id="day-2027-03-29"')[1].split("</tr>")[0]
    assert "1" in row.split('class="number"')[1]
    assert admin.post(address, {"days": ["2027-03-26"]}).status_code == 422  # without a reason
    given = {"days": ["2027-03-26", "2027-12-24"], "reason": "holidays"}
    assert admin.post(address, given).status_code == 302
    assert ClosedDay.objects.filter(day__year=2027).count() == 3
    assert Order.objects.count() == 1
    assert admin.post(address, given).status_code == 422  # a second time
    assert admin.post(address, {"days": ["2027-07-01"], "reason": "x"}).status_code == 422
    assert admin.get(f"{url('propose_days')}?year=1066").status_code == 404


# --- what is missing, external people -------------------------------------------------------------


def test_the_overview_says_what_is_missing(admin, world):
    endpoint = Endpoint.objects.create(customer=world.customer_a, name="Bare")
    CatalogueEntry.objects.create(endpoint=endpoint, tracer=world.fdg)
    text = shown(admin.get(reverse("tracershop:setup")))
    assert "FDG is in the catalogue of Bare, but is never delivered there." in text
    assert "Nobody of Nordby Hospital can be called in a recall." in text
    assert "Batches of Water are tested for nothing." in text
    assert "No day of 2027 is closed." in text
    assert "Orders by activity" not in text  # that kind has its deadline
    Contact.objects.create(customer=world.customer_a, name="Lis", phone="1234")
    assert "Nobody of Nordby" not in shown(admin.get(reverse("tracershop:setup")))


@pytest.mark.requirement("TS-101", "PT-002")
def test_an_external_person_is_admitted_and_listed_with_their_customers(admin, world, server_keys):
    sent = {"name": "Ida Holm", "email": "ida@company.example", "customer": world.customer_b.pk,
            "expires_on": "2027-06-30", "reason": "orders for the company"}  # fmt: skip
    assert admin.post(url("external_new"), {**sent, "expires_on": "2020-01-01"}).status_code == 422
    assert admin.post(url("external_new"), sent).status_code == 302
    again = admin.post(url("external_new"), sent)
    assert "Somebody has an account with this mail address already." in shown(again)
    person = User.objects.get(username="ida@company.example")
    given = {"user": person.pk, "customer": world.customer_a.pk, "reason": "both"}
    assert admin.post(url("external_another"), given).status_code == 302
    text = shown(admin.get(url("external")))
    assert "Ida Holm" in text
    assert "Nordby Hospital, Søndersø Sygehus" in " ".join(text.split())
    assert str(day(person.expires_on)) in text
    assert admin.post(url("external_another"), given).status_code == 422


def test_where_accounts_are_made_by_request_the_page_leads_there(admin, world, settings):
    settings.PORTAL_ACCOUNTS_BY_REQUEST = True
    assert reverse("accounts:request_new") in shown(admin.get(url("external")))
    assert admin.get(url("external_new"))["Location"] == reverse("accounts:request_new")
