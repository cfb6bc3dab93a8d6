"""The servers and processes that other tests stand on."""

import smtplib
from email.message import EmailMessage

import httpx
import pytest
from django.core.mail import send_mail

from portal.config import celery
from portal.demo.identity_provider import Person
from portal.demo.processes import RunningService
from tests.support.processes import IdentityProvider, MailServer, answers, site_process


@pytest.mark.processes
def test_a_killed_worker_is_gone_and_comes_back(celery_worker: RunningService):
    name = celery_worker.url
    assert celery.control.ping(destination=[name], timeout=2) == [{name: {"ok": "pong"}}]
    celery_worker.kill()
    assert celery.control.ping(destination=[name], timeout=0.5) == []
    celery_worker.start_again()
    assert celery.control.ping(destination=[name], timeout=2) == [{name: {"ok": "pong"}}]


def test_the_site_answers_from_a_thread(portal_url: str):
    assert httpx.get(f"{portal_url}/health/live").status_code == 200


@pytest.mark.processes
def test_the_site_answers_from_a_process_until_it_is_killed(transactional_db: None):
    with site_process() as site:
        assert httpx.get(f"{site.url}/health/live").status_code == 200
        site.kill()
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{site.url}/health/live")
        site.start_again()
        assert httpx.get(f"{site.url}/health/live").status_code == 200


@pytest.mark.processes
def test_the_listener_listens_where_its_url_says(hl7_listener: RunningService):
    port = int(hl7_listener.url.rpartition(":")[2])
    assert answers(port)
    hl7_listener.kill()
    assert not answers(port)


def test_the_provider_is_the_one_that_the_settings_name(
    identity_provider: IdentityProvider, settings
):
    assert identity_provider.issuer == settings.OIDC_OP_ISSUER
    found = httpx.get(f"{identity_provider.issuer}/.well-known/openid-configuration").json()
    assert found["issuer"] == settings.OIDC_OP_ISSUER
    identity_provider.add(Person("bo", "B1", "Bo Berg", "bo@x.invalid"))
    assert [person.sub for person in identity_provider.people] == ["bo"]


def test_mail_of_this_process_reaches_the_mail_server(mail_server: MailServer):
    send_mail("Released", "Batch 7", "portal@x.invalid", ["ward@x.invalid"])
    assert mail_server.wait_for(1)[0]["Subject"] == "Released"


def test_mail_of_another_program_reaches_the_mail_server(mail_server: MailServer):
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Hej", "a@x.invalid", "b@x.invalid"
    with smtplib.SMTP("127.0.0.1", mail_server.port) as client:
        client.send_message(message)
    assert mail_server.wait_for(1)[0]["To"] == "b@x.invalid"
