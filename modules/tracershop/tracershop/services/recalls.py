"""Recalls: a batch called back from everybody who received of it (TS-087)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require, visible
from portal.access.selectors import people_with
from portal.audit.services import differences, record
from portal.live.services import publish
from portal.notifications.outbox import address, queue_mail
from portal.notifications.services import By, choices_of, notify, tasks_changed
from portal.records.errors import Refused
from portal.records.services import create_many, locked, writes
from portal.signing.services import Signer, made_by_act, reads, sign
from tracershop.models import Batch, Contact, Customer, Order, Recall, RecallNotice, Vial
from tracershop.models.reach import PLACE, RECALL
from tracershop.rules.batches import may_follow
from tracershop.rules.orders import OrderStatus
from tracershop.rules.release import BatchStatus
from tracershop.selectors import topics
from tracershop.selectors.batches import released_from
from tracershop.selectors.representation import representatives_of
from tracershop.services.batches import announce_batch, locked_batch
from tracershop.services.vials import free_vial

MEANING = "Batch recalled"
"""The meaning of a recall's signature, as it is signed (in English, whatever the screen's)."""

REMIND_EVERY = timedelta(hours=2)
"""How often customers are told again who have not acknowledged."""


@dataclass(frozen=True)
class Answer:
    """What a customer says of one delivery."""

    use: str
    text: str = ""


# --- starting --------------------------------------------------------------------------------


@writes
def start_recall(
    *, actor: Any, batch_id: int, reason: str, instructions: str, signer: Signer
) -> Recall:
    """Call a batch back: signed, and at once for everybody who received of it.

    Vials that have not left the house serve no order any more. Every order that was ever released
    from the batch gets a notice, also where its release was corrected since: that changed the
    paper, not where the vial is. A release of the lot that is being signed is waited for and gets
    its notice; one that comes later finds the batch recalled. Begun twice it is one recall.
    """
    require(actor, RECALL)
    batch = locked_batch(batch_id)
    running = Recall.objects.filter(batch=batch, closed_at__isnull=True).first()
    if running is not None:
        return running
    if not reason.strip():
        raise Refused(_("A recall needs a reason."), code="reason_needed")
    if not instructions.strip():
        raise Refused(_("Say what customers are to do."), code="instructions_needed")
    if not may_follow(BatchStatus(batch.status), BatchStatus.RECALLED):
        raise Refused(_("This batch was recalled before."), code="recalled")
    old = batch.status
    batch.status, batch.status_reason = BatchStatus.RECALLED, reason.strip()
    _take_from_orders(batch)
    batch.save()
    recall = Recall.objects.create(
        batch=batch, reason=reason.strip(), instructions=instructions.strip(), started_by=actor
    )
    notices = _make_notices(recall)
    signature = sign(
        actor=actor, signable="tracershop.recall", obj=recall, meaning=MEANING, key=signer
    )
    record(
        "tracershop.recall_started",
        batch,
        data={
            "status": [old, batch.status],
            "recall": recall.pk,
            "orders": sorted(notice.order_id for notice in notices),
            "signature": signature.pk,
        },
    )
    announce_batch(batch, "recalled")
    _tell_customers(recall, notices, again=False)
    _tell_production(recall)
    return recall


def _take_from_orders(batch: Batch) -> None:
    """Vials allocated to orders that are not released yet are free; the customers expect others."""
    waiting = Vial.objects.filter(lot=batch.lot, order__isnull=False).exclude(
        order__status=OrderStatus.RELEASED
    )
    keys = set(waiting.values_list("order_id", flat=True))
    orders = Order.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk")
    open_orders = {order.pk: order for order in orders if order.status != OrderStatus.RELEASED}
    vials = Vial.objects.filter(lot=batch.lot, order__in=open_orders)
    freed = defaultdict(list)
    for vial in vials.select_for_update(no_key=True, of=("self",)).order_by("pk"):
        freed[vial.order_id].append(vial.pk)
        free_vial(vial)
    for key, pks in freed.items():
        order = open_orders[key]
        record("tracershop.vials_recalled", order, data={"lot": batch.lot, "vials": pks})
        topics.announce_order(order, "recalled")


def _make_notices(recall: Recall) -> list[RecallNotice]:
    """One for each order, once it has many releases too."""
    orders = Order.all_objects.filter(releases__in=released_from(recall.batch.lot)).distinct()
    return create_many(
        RecallNotice,
        [
            RecallNotice(
                recall=recall,
                customer_id=order.customer_id,
                order=order,
                notified_at=recall.started_at,
            )
            for order in orders.order_by("pk")
        ],
    )


# --- telling -----------------------------------------------------------------------------------


def _tell_customers(recall: Recall, notices: Iterable[RecallNotice], *, again: bool) -> None:
    """The customers' representatives on screen and by mail, whatever mail they chose otherwise,
    and their contacts by mail."""
    customers = {notice.customer_id for notice in notices}
    url = reverse("tracershop:recall_notice", args=[recall.pk])
    representatives = list(representatives_of(customers))
    mailed = set()
    for person in representatives:
        with translation.override(person.language or settings.LANGUAGE_CODE):
            notify(person, _short(recall, again=again), url=url, level="alarm")
            if person.email and choices_of(person)["alarm"] != By.AT_ONCE:
                _mail(recall, person.email, again=again)
        mailed.add(person.email.casefold())
    for contact in Contact.objects.filter(customer__in=customers).exclude(email=""):
        if contact.email.casefold() not in mailed:
            mailed.add(contact.email.casefold())
            with translation.override(settings.LANGUAGE_CODE):
                _mail(recall, contact.email, again=again)
    for customer in customers:
        publish(topics.customer_topic(customer), "recall", recall.pk)
    tasks_changed(representatives)


def _short(recall: Recall, *, again: bool) -> str:
    text = (
        gettext("Reminder: batch %(lot)s is recalled. Say what became of it.")
        if again
        else gettext("Batch %(lot)s is recalled. Do not use it, and say what became of it.")
    )
    return text % {"lot": recall.batch.lot}


def _mail(recall: Recall, to: str, *, again: bool) -> None:
    """Lot, tracer and what to do; nothing of an order or a person."""
    link = address("tracershop:recall_notices")
    lines = [
        _short(recall, again=again),
        f"{recall.batch.tracer}, {recall.batch.lot}",
        recall.instructions,
        gettext("Acknowledge it here: %(url)s") % {"url": link},
    ]
    subject = gettext("Recall of batch %(lot)s") % {"lot": recall.batch.lot}
    queue_mail(to, subject, "\n\n".join(lines))


def _tell_production(recall: Recall) -> None:
    people = people_with(RECALL)
    text = gettext("Batch %(lot)s is recalled: call the customers.") % {"lot": recall.batch.lot}
    for person in people:
        notify(person, text, url=f"/tracershop/recalls/{recall.pk}/", level="alarm")
    tasks_changed(people)


@writes
def remind_customers(*, actor: Any, now: datetime | None = None) -> int:
    """Tell customers again who have not acknowledged; returns to how many notices."""
    now = now or timezone.now()
    told = 0
    for recall in Recall.objects.filter(closed_at__isnull=True).select_related("batch__tracer"):
        waiting = list(
            recall.notices.select_for_update(no_key=True)
            .filter(acknowledged_at__isnull=True, notified_at__lte=now - REMIND_EVERY)
            .order_by("pk")
        )
        if not waiting:
            continue
        for notice in waiting:
            notice.notified_at = now
            notice.save()
        _tell_customers(recall, waiting, again=True)
        record("tracershop.recall_reminded", recall.batch, data={"notices": len(waiting)})
        publish(topics.BATCHES, "reminded", recall.batch_id)
        told += len(waiting)
    return told


@writes
def record_call(*, actor: Any, recall_id: int, customer_id: int, reached: str) -> None:
    """Somebody of the customer was told by telephone: who."""
    require(actor, RECALL)
    recall = _running(recall_id)
    if not reached.strip():
        raise Refused(_("Say whom you told."), code="reached_needed")
    notices = list(recall.notices.select_for_update(no_key=True).filter(customer=customer_id))
    if not notices:
        raise Refused(_("This recall does not concern this customer."), code="gone")
    for notice in notices:
        notice.reached = reached.strip()
        notice.save()
    customer = Customer.all_objects.get(pk=customer_id)
    data = {"recall": recall.pk, "customer": customer.name, "reached": reached.strip()}
    record("tracershop.recall_called", recall.batch, data=data)
    publish(topics.BATCHES, "called", recall.batch_id)


def _running(recall_id: int) -> Recall:
    recall = locked(Recall.objects.select_related("batch"), recall_id)
    if recall.closed_at is not None:
        raise Refused(_("The recall is closed."), code="closed")
    return recall


# --- the customer's answer, the end ---------------------------------------------------------------


@writes
def acknowledge_recall(*, actor: Any, recall_id: int, answers: Mapping[int, Answer]) -> int:
    """A representative says, for each notice (by its key), what became of the delivery.

    They may add to it while the recall runs; returns how many notices changed.
    """
    own = visible(actor, RecallNotice.objects.filter(recall=recall_id), PLACE)
    if not answers or own.filter(pk__in=answers).count() < len(answers):
        raise Refused(_("There is no such notice (any more)."), code="gone")
    recall = _running(recall_id)
    changed = 0
    rows = RecallNotice.objects.filter(recall=recall, pk__in=answers)
    for notice in rows.select_for_update(no_key=True, of=("self",)).order_by("pk"):
        answer = answers[notice.pk]
        if answer.use not in RecallNotice.Use.values:
            raise Refused(_("Say what became of each delivery."), code="use_needed")
        new = {"use": answer.use, "answer": answer.text.strip()}
        old = {"use": notice.use, "answer": notice.answer}
        if notice.acknowledged_at is not None and old == new:
            continue
        notice.use, notice.answer = new["use"], new["answer"]
        if notice.acknowledged_at is None:
            notice.acknowledged_at, notice.acknowledged_by = timezone.now(), actor
        notice.save()
        record("tracershop.recall_acknowledged", notice, data=differences(old, new))
        publish(topics.customer_topic(notice.customer_id), "recall", recall.pk)
        changed += 1
    if changed:
        publish(topics.BATCHES, "acknowledged", recall.batch_id)
        customers = {notice.customer_id for notice in rows}
        tasks_changed(representatives_of(customers))
    return changed


@writes
def close_recall(*, actor: Any, recall_id: int, conclusion: str, reason: str = "") -> Recall:
    """End a recall with a conclusion. Where a customer has not acknowledged it needs a reason;
    Refused(code="missing") names them. Closed twice it is closed once."""
    require(actor, RECALL)
    recall = locked(Recall.objects.select_related("batch"), recall_id)
    if recall.closed_at is not None:
        return recall
    if not conclusion.strip():
        raise Refused(_("A recall ends with a conclusion."), code="conclusion_needed")
    waiting = RecallNotice.objects.filter(recall=recall, acknowledged_at__isnull=True)
    missing = [
        gettext("%(customer)s, order %(number)s")
        % {"customer": notice.customer.name, "number": notice.order_id}
        for notice in waiting.select_related("customer").order_by("customer__name", "order")
    ]
    if missing and not reason.strip():
        raise Refused(
            _("Not everybody has acknowledged: closing all the same needs a reason."),
            code="missing",
            details=missing,
        )
    recall.closed_at, recall.closed_by = timezone.now(), actor
    recall.conclusion = conclusion.strip()
    recall.save()
    data = {"recall": recall.pk, "conclusion": recall.conclusion, "missing": missing}
    record("tracershop.recall_closed", recall.batch, data=data)
    publish(topics.BATCHES, "closed", recall.batch_id)
    customers = RecallNotice.objects.filter(recall=recall).values_list("customer_id", flat=True)
    for customer in set(customers):
        publish(topics.customer_topic(customer), "recall", recall.pk)
    tasks_changed({*people_with(RECALL), *representatives_of(set(customers))})
    return recall


@reads("batch", "notices")
@made_by_act("started_at")
def signed_facts(recall: Recall) -> dict[str, Any]:
    """What a recall's signature is over: which batch, why, what customers are to do."""
    return {
        "started_at": recall.started_at,
        "lot": recall.batch.lot,
        "batch": recall.batch_id,
        "tracer_number": recall.batch.tracer_id,
        "reason": recall.reason,
        "instructions": recall.instructions,
        "orders": sorted(notice.order_id for notice in recall.notices.all()),
    }
