"""The superuser's pages: what rooms and procedures mean, and who represents a customer."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from tracershop.models import (
    Representation,
    RoomMapping,
)

from tests.support.accounts import sign_in
from tests.support.factories import give, make_user
from tests.tracershop.factories import (
    MONDAY,
    local,
    make_booking,
    map_fdg,
    shop_world,
    stop_clock,
)

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def world(monkeypatch):
    world = shop_world()
    stop_clock(monkeypatch)
    return world


@pytest.fixture
def secretary(client, world):
    sign_in(client, world.secretary)
    return client


def shown(response):
    return response.content.decode()


@pytest.mark.requirement("TS-023")
def test_a_superuser_maps_a_waiting_room_and_its_procedure(client, world):
    sign_in(client, world.superuser)
    make_booking("SECRET-1", local(MONDAY, 9), room="PET 1/Ø")
    page = shown(client.get(reverse("tracershop:mappings")))
    assert "PET 1/Ø" in page
    assert "SECRET-1" not in page

    room_url = reverse("tracershop:map_room")
    answer = client.post(f"{room_url}?room=PET%201%2F%C3%98", {"endpoint": world.endpoint_a.pk})
    assert answer.status_code == 302
    assert RoomMapping.objects.get().room == "PET 1/Ø"
    page = shown(client.get(reverse("tracershop:mappings")))
    assert "FDG-WB" in page

    procedure_url = reverse("tracershop:map_procedure")
    client.post(
        f"{procedure_url}?endpoint={world.endpoint_a.pk}&procedure=FDG-WB",
        {"tracer": world.fdg.pk, "units": "300,5", "delay_min": "60"},
    )

    mapping = world.endpoint_a.procedures.get()
    assert (mapping.procedure_code, mapping.units, mapping.delay_min) == ("FDG-WB", 300.5, 60)
    assert "Nothing waits" in shown(client.get(reverse("tracershop:mappings")))


@pytest.mark.requirement("TS-023", "TS-006")
def test_a_superuser_maps_nothing_for_a_customer_that_they_do_not_represent(client, world):
    sign_in(client, world.superuser)

    room = client.post(
        f"{reverse('tracershop:map_room')}?room=X", {"endpoint": world.endpoint_b.pk}
    )
    procedure = client.get(f"{reverse('tracershop:map_procedure')}?endpoint={world.endpoint_b.pk}")

    assert room.status_code == 422
    assert "Søndersø" not in shown(room)
    assert procedure.status_code == 404
    assert not RoomMapping.objects.exists()


@pytest.mark.requirement("TS-023")
def test_a_mapping_is_changed_and_ended_on_its_page(client, world):
    mapping = map_fdg(world)
    sign_in(client, world.superuser)
    url = f"{reverse('tracershop:map_procedure')}?endpoint={world.endpoint_a.pk}&procedure=FDG-WB"
    assert 'value="300"' in shown(client.get(url))

    sent = {"tracer": world.fdg.pk, "units": "350", "delay_min": "45", "version": mapping.version}
    client.post(url, sent)
    mapping.refresh_from_db()
    assert (mapping.units, mapping.delay_min) == (350, 45)
    assert client.post(url, sent).status_code == 409

    end_procedure = reverse("tracershop:end_procedure", args=[mapping.pk])
    end_room = reverse("tracershop:end_room", args=[RoomMapping.objects.get().pk])
    assert client.post(end_procedure, {"reason": ""}).status_code == 422
    for url in (end_procedure, end_room):
        assert "stays ordered" in shown(client.get(url, headers=HTMX))
        assert client.post(url, {"reason": "new scanner"}).status_code == 302
    assert not RoomMapping.objects.exists()
    assert not world.endpoint_a.procedures.filter(deleted_at__isnull=True).exists()


@pytest.mark.requirement("TS-023")
def test_a_room_that_somebody_mapped_meanwhile_is_asked_about(client, world):
    sign_in(client, world.superuser)
    make_booking("A1", local(MONDAY, 9))
    url = f"{reverse('tracershop:map_room')}?room=PET-1"
    assert 'name="version"' in shown(client.get(url))
    RoomMapping.objects.create(room="PET-1", endpoint=world.endpoint_a)

    answer = client.post(url, {"endpoint": world.endpoint_a.pk, "version": "0"})

    assert answer.status_code == 409


@pytest.mark.requirement("TS-006")
def test_a_room_of_another_customer_is_refused_in_words_that_name_nobody(client, world):
    RoomMapping.objects.create(room="B-1", endpoint=world.endpoint_b)
    sign_in(client, world.superuser)
    url = reverse("tracershop:map_room")

    answer = client.post(url, {"room": "B-1", "endpoint": world.endpoint_a.pk})

    assert answer.status_code == 422
    assert "mapped for a customer that you do not represent" in shown(answer)
    assert "Søndersø" not in shown(answer)
    assert RoomMapping.objects.get().endpoint == world.endpoint_b


@pytest.mark.requirement("TS-023")
def test_the_form_shows_what_the_mapping_would_order(client, world):
    RoomMapping.objects.create(room="PET-1", endpoint=world.endpoint_a)
    make_booking("A1", local(MONDAY, 8))
    make_booking("A2", local(MONDAY, 8))
    sign_in(client, world.superuser)
    query = f"endpoint={world.endpoint_a.pk}&procedure=FDG-WB"
    form = shown(client.get(f"{reverse('tracershop:map_procedure')}?{query}"))
    url = f"{reverse('tracershop:preview_mapping')}?{query}"
    assert url.replace("&", "&amp;") in form

    sent = {"tracer": world.fdg.pk, "units": "300", "delay_min": "60"}
    page = shown(client.get(url, sent | {"endpoint": world.endpoint_a.pk, "procedure": "FDG-WB"}))

    assert "2 bookings on 23 Nov 2026 → <strong>798 MBq</strong> at 08:15" in page
    assert "Fill in tracer" in shown(client.get(url))
    other = f"{reverse('tracershop:preview_mapping')}?endpoint={world.endpoint_b.pk}"
    assert client.get(other).status_code == 404


@pytest.mark.requirement("TS-026")
def test_a_mapping_is_switched_to_automatic_and_back_with_a_reason(client, world):
    mapping = map_fdg(world)
    sign_in(client, world.superuser)
    url = reverse("tracershop:automatic_mapping", args=[mapping.pk])
    assert "30 minutes before the deadline" in shown(client.get(url))
    assert client.post(url, {"version": mapping.version}).status_code == 422

    client.post(url, {"version": mapping.version, "reason": "routine"})

    mapping.refresh_from_db()
    assert (mapping.automatic, mapping.automatic_by) == (True, world.superuser)
    assert "in the name of Lone Krogh" in shown(client.get(reverse("tracershop:mappings")))
    assert "somebody has to order" in shown(client.get(url))
    client.post(url, {"version": mapping.version, "reason": "holidays"})
    mapping.refresh_from_db()
    assert not mapping.automatic


@pytest.mark.requirement("TS-006", "TS-026")
def test_another_customers_mapping_is_not_there_to_switch_or_end(client, world):
    room = RoomMapping.objects.create(room="B-1", endpoint=world.endpoint_b)
    procedure = world.endpoint_b.procedures.create(
        procedure_code="X", tracer=world.fdg, units=1, delay_min=0
    )
    sign_in(client, world.superuser)

    for name, pk in (
        ("automatic_mapping", procedure.pk),
        ("end_procedure", procedure.pk),
        ("end_room", room.pk),
    ):
        assert client.get(reverse(f"tracershop:{name}", args=[pk])).status_code == 404
    page = shown(client.get(reverse("tracershop:mappings")))
    assert "B-1" not in page


@pytest.mark.requirement("TS-023")
def test_the_number_of_queries_does_not_grow_with_what_waits(client, world):
    map_fdg(world)
    sign_in(client, world.superuser)
    url = reverse("tracershop:mappings")

    def more(start):
        for number in range(start, start + 5):
            make_booking(f"R{number}", local(MONDAY, 9), room=f"NEW-{number}")
            make_booking(f"P{number}", local(MONDAY, 9), procedure_code=f"NEW-{number}")
            world.endpoint_a.procedures.create(
                procedure_code=f"M{number}",
                tracer=world.fdg,
                units=1,
                automatic=True,
                automatic_by=world.superuser,
            )

    more(0)
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    more(5)
    with CaptureQueriesContext(connection) as many:
        page = shown(client.get(url))
    assert "NEW-9" in page
    assert len(many) == len(few)


@pytest.mark.requirement("TS-100", "TS-023", "TS-101")
@pytest.mark.parametrize("name", ["mappings", "map_room", "map_procedure", "representatives"])
def test_the_superusers_pages_are_theirs(secretary, name):
    assert secretary.get(reverse(f"tracershop:{name}")).status_code == 403
    assert secretary.post(reverse(f"tracershop:{name}")).status_code in (403, 405)


@pytest.mark.requirement("TS-101")
def test_a_superuser_lets_a_colleague_represent_and_ends_it(client, world):
    tove = make_user("Tove Juhl")
    give(tove, "tracershop.shop_internal", world.region)
    sign_in(client, world.superuser)
    url = reverse("tracershop:representatives")
    page = shown(client.get(url))
    assert "Mette Dalgaard" in page
    assert "Bodil Iversen" not in page.split("<form")[0]
    assert "Søndersø" not in page

    sent = {"user": tove.pk, "customer": world.customer_a.pk}
    assert client.post(url, sent).status_code == 422  # without a reason
    client.post(url, {**sent, "reason": "new colleague"})

    representation = Representation.objects.get(user=tove)
    end = reverse("tracershop:end_representation", args=[representation.pk])
    assert client.post(end).status_code == 422
    client.post(end, {"reason": "left"})
    assert not Representation.objects.filter(user=tove).exists()
