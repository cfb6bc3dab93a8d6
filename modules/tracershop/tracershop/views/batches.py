"""Batches: the list, one batch from production to expiry, its results and verdicts (TS-046)."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.access.decision import can, require, visible
from portal.audit.services import Access, log_access
from portal.documents.services import current
from portal.records.errors import Refused
from portal.signing.services import Signer
from portal.signing.web import asks_for_passkey, passkey_options, signer_of, ways_to_sign
from tracershop.forms.batches import BatchFilterForm, BatchForm, ResultsForm
from tracershop.models import Batch, Verdict
from tracershop.models.reach import RECALL, RELEASE, SEE_ALL, VIALS
from tracershop.rules.batches import VERDICTS, may_follow
from tracershop.rules.lots import LotError, parse_lot
from tracershop.rules.release import BatchStatus
from tracershop.selectors import topics
from tracershop.selectors.batch_page import events_of, life_line, recalls_of, verdicts_of
from tracershop.selectors.batches import batches_for, tests_of, with_alarm, with_failures
from tracershop.selectors.recalls import recalls_for, trace
from tracershop.services.batch_records import KIND as BATCH_RECORD
from tracershop.services.batches import create_batch, edit_batch, record_results
from tracershop.services.verdicts import MEANINGS, BatchJudge, give_verdict, put_alarm_aside
from tracershop.views.parameters import required

PAGE_SIZE = 50
_USUAL_DAYS = timedelta(days=14)
_ORDER = (BatchStatus.RELEASED, BatchStatus.CONDITIONALLY_RELEASED, BatchStatus.REJECTED)


@require_GET
def batches(request: HttpRequest) -> HttpResponse:
    """The batches, newest first; without a filter, of the last fortnight."""
    require(request.user, SEE_ALL)
    sent = request.GET.copy()
    if "first" not in sent:
        sent["first"] = f"{timezone.localdate() - _USUAL_DAYS:%Y-%m-%d}"
    form = BatchFilterForm(sent)
    found = batches_for(request.user, **form.chosen())
    context = {
        "form": form,
        "page": Paginator(found, PAGE_SIZE).get_page(request.GET.get("page")),
        "recalls": recalls_for(request.user).filter(closed_at__isnull=True),
        "may_create": can(request.user, VIALS),
        "topic": topics.BATCHES,
        "now": timezone.now(),
        "query": request.GET.urlencode(),
    }
    name = "_batches.html" if request.htmx else "batches.html"  # type: ignore[attr-defined]
    return render(request, f"tracershop/batches/{name}", context)


@require_http_methods(["GET", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    """A batch by hand; the address may name the lot."""
    require(request.user, VIALS)
    lot = request.GET.get("lot", "")
    form = BatchForm(request.POST or None, initial={"lot": lot, "tracer": _tracer_of(lot)})
    if request.method == "POST" and form.is_valid():
        try:
            batch = create_batch(
                actor=request.user,
                lot=form.cleaned_data["lot"],
                tracer_id=form.cleaned_data["tracer"].pk,
                data=form.data_given(),
            )
        except Refused as refusal:
            form.add_error(None, str(refusal.message))
        else:
            messages.success(request, _("Batch %(lot)s is in quarantine.") % {"lot": batch.lot})
            return redirect("tracershop:batch", batch.pk)
    context = {"form": form, "title": _("New batch"), "batch": None}
    return render(
        request, "tracershop/batches/edit.html", context, status=422 if form.errors else 200
    )


def _tracer_of(lot: str) -> int | None:
    try:
        prefix = parse_lot(lot).prefix
    except LotError:
        return None
    field = BatchForm().fields["tracer"]
    tracer = field.queryset.filter(lot_prefix__iexact=prefix).first()  # type: ignore[attr-defined]
    return tracer.pk if tracer else None


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, VIALS)
    batch = _batch(request, pk)
    form = BatchForm(request.POST or None, batch=batch)
    if request.method == "POST" and form.is_valid():
        try:
            edit_batch(
                actor=request.user,
                batch_id=pk,
                version=form.cleaned_data["version"],
                data=form.data_given(),
                reason=form.cleaned_data["reason"],
            )
        except Refused as refusal:
            form.add_error(None, str(refusal.message))
        else:
            messages.success(request, _("Batch %(lot)s is changed.") % {"lot": batch.lot})
            return redirect("tracershop:batch", pk)
    title = _("Change batch %(lot)s") % {"lot": batch.lot}
    context = {"form": form, "title": title, "batch": batch}
    return render(
        request, "tracershop/batches/edit.html", context, status=422 if form.errors else 200
    )


@require_GET
def batch_detail(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, SEE_ALL)
    batch = _batch(request, pk)
    log_access(Access.OPEN, batch)
    return _page(request, batch)


@require_POST
def results(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep the results that were filled in; a refusal stands on the form."""
    require(request.user, VIALS)
    batch = _batch(request, pk)
    form = ResultsForm(request.POST, pairs=tests_of(batch))
    if form.is_valid():
        try:
            changed = record_results(
                actor=request.user,
                batch_id=pk,
                entries=form.entries(),
                reason=form.cleaned_data["reason"],
            )
        except Refused as refusal:
            form.add_error(None, str(refusal.message))
        else:
            bad = [str(each.test.name) for each in changed if not each.passed]
            if bad:
                messages.warning(request, _("Outside the limits: %(t)s") % {"t": ", ".join(bad)})
            else:
                messages.success(request, _("%(n)s results are kept.") % {"n": len(changed)})
            return redirect("tracershop:batch", pk)
    return _page(request, batch, form)


def _batch(request: HttpRequest, pk: int) -> Batch:
    found = visible(request.user, Batch.objects.all(), SEE_ALL)
    found = with_alarm(with_failures(found)).select_related(
        "tracer__isotope", "run", "set_aside_by"
    )
    return get_object_or_404(found, pk=pk)


def _page(request: HttpRequest, batch: Batch, form: ResultsForm | None = None) -> HttpResponse:
    now = timezone.now()
    pairs = tests_of(batch)
    traced = trace(batch.lot)
    judge = BatchJudge(request.user, batch, now, pairs)
    offered = [judge.judge(verdict) for verdict in _ORDER]
    context = {
        "batch": batch,
        "form": form or ResultsForm(pairs=pairs),
        "former_results": [pair for pair in pairs if pair[0].deleted_at is not None],
        "life_line": life_line(batch, pairs, traced, now),
        "trace": traced,
        "verdicts": verdicts_of(batch),
        "recalls": recalls_of(batch),
        "events": events_of(batch),
        "judgements": [each for each in offered if each.is_offered],
        "next": next((each for each in offered if each.is_offered and not each.reasons), None),
        "paper": current(batch, BATCH_RECORD),
        "may_enter": can(request.user, VIALS),
        "may_judge": can(request.user, RELEASE),
        "may_recall": can(request.user, RECALL)
        and may_follow(BatchStatus(batch.status), BatchStatus.RECALLED),
        "topic": topics.BATCHES,
        "now": now,
    }
    name = "_batch.html" if request.htmx else "batch.html"  # type: ignore[attr-defined]
    status = 422 if form is not None and form.errors else 200
    return render(request, f"tracershop/batches/{name}", context, status=status)


@require_http_methods(["GET", "POST"])
def verdict(request: HttpRequest, pk: int) -> HttpResponse:
    """What stands against the verdict, what to confirm, why, and the signature."""
    require(request.user, RELEASE)
    batch = _batch(request, pk)
    code = (request.POST if request.method == "POST" else request.GET).get("verdict", "")
    if code not in VERDICTS:
        raise Http404
    if request.method != "POST":
        return _verdict_page(request, batch, BatchStatus(code))

    def act(signer: Signer) -> Verdict:
        return give_verdict(
            actor=request.user,
            batch_id=pk,
            verdict=code,
            reason=request.POST.get("reason", ""),
            confirmed=request.POST.getlist("confirm"),
            signer=signer,
        )

    if asks_for_passkey(request):
        return passkey_options(request, act)
    try:
        given = act(signer_of(request))
    except Refused as refusal:
        return _verdict_page(request, _batch(request, pk), BatchStatus(code), refusal)
    messages.success(
        request,
        _("Batch %(lot)s: %(status)s.") % {"lot": batch.lot, "status": given.get_status_display()},
    )
    return redirect("tracershop:batch", pk)


def _verdict_page(
    request: HttpRequest, batch: Batch, code: BatchStatus, refusal: Refused | None = None
) -> HttpResponse:
    pairs = tests_of(batch)
    context = {
        "batch": batch,
        "verdict": code,
        "verdict_word": Batch.Status(code).label,
        "meaning": MEANINGS[code],
        "judgement": BatchJudge(request.user, batch, timezone.now(), pairs).judge(code),
        "pairs": pairs,
        "refusal": refusal,
        "reason": request.POST.get("reason", ""),
        "confirmed": request.POST.getlist("confirm"),
        "ways_to_sign": ways_to_sign(request),
        "released": trace(batch.lot).orders if code == BatchStatus.REJECTED else [],
    }
    status = 422 if refusal else 200
    return render(request, "tracershop/batches/verdict.html", context, status=status)


@require_POST
def put_aside(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, RECALL)
    put_alarm_aside(
        actor=request.user, batch_id=pk, reason=required(request, "reason", _("Reason"))
    )
    messages.success(request, _("The alarm is put aside."))
    return redirect("tracershop:batch", pk)
