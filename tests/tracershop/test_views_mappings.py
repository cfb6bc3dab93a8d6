"""The superuser's pages: what rooms and procedures mean, and who represents a customer."""

from __future__ import annotations

import pytest
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

    client.post(reverse("tracershop:end_procedure", args=[mapping.pk]))
    client.post(reverse("tracershop:end_room", args=[RoomMapping.objects.get().pk]))
    assert not RoomMapping.objects.exists()


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
