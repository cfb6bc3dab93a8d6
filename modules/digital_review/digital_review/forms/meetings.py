"""Planning a meeting, and the small questions around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from digital_review.models import Meeting, Participant, ReviewType
from digital_review.models.reach import LEAD, MINUTES, PATHOLOGY, TAKE_PART
from digital_review.selectors.meetings import OFFICES, people_at
from digital_review.services.meetings import MeetingData
from portal.organisation.models import Unit
from portal.records.fields import ClockField, DateInput

_OFFICES = {"chairman": LEAD, "secretary": MINUTES, "pathologist": PATHOLOGY}


def _reason() -> forms.CharField:
    return forms.CharField(label=_("Reason"), max_length=500)


class MeetingForm(forms.Form):
    """What is planned (DR-051). With a meeting it is changed, which needs a reason."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    day = forms.DateField(label=_("Day"), widget=DateInput)
    at = ClockField(label=_("Begins at"))
    place = forms.CharField(label=_("Place"), max_length=200, required=False)
    video_room = forms.CharField(
        label=_("Video"),
        max_length=200,
        required=False,
        help_text=_("A room of the house's video service, or an address that begins with https://"),
    )
    chairman = forms.ChoiceField(label=_("Chairman"))
    secretary = forms.ChoiceField(label=_("Secretary"))
    pathologist = forms.ChoiceField(label=_("Expert pathologist"))
    pathologist_hospital = forms.ModelChoiceField(
        Unit.objects.none(), label=_("Hospital of the pathologist"), required=False
    )
    opinions_first = forms.BooleanField(
        label=_("Everybody gives an opinion before others' are shown"), required=False, initial=True
    )
    participants = forms.MultipleChoiceField(
        label=_("Participants"), widget=forms.CheckboxSelectMultiple, required=False
    )
    reason = _reason()

    def __init__(
        self,
        *args: Any,
        review_type: ReviewType,
        meeting: Meeting | None = None,
        usual: datetime | None = None,
        **options: Any,
    ) -> None:
        starts_at = meeting.starts_at if meeting else usual
        initial = _initial_of(meeting)
        if starts_at is not None:
            local = timezone.localtime(starts_at)
            initial |= {"day": local.date(), "at": local.time()}
        options["initial"] = initial
        super().__init__(*args, **options)
        for name, privilege in _OFFICES.items():
            self._set_choices(name, [("", "—"), *_named(people_at(privilege, review_type))])
        hospitals = Unit.objects.open().filter(kind=Unit.Kind.HOSPITAL).order_by("name")
        self.fields["pathologist_hospital"].queryset = hospitals  # type: ignore[attr-defined]
        if meeting is not None:
            del self.fields["participants"]
        else:
            del self.fields["reason"]
            self._set_choices("participants", _named(people_at(TAKE_PART, review_type)))

    def _set_choices(self, name: str, choices: Sequence[tuple[str, str]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    def data_given(self) -> MeetingData:
        values = self.cleaned_data
        hospital = values["pathologist_hospital"]
        return MeetingData(
            starts_at=timezone.make_aware(datetime.combine(values["day"], values["at"])),
            chairman_id=int(values["chairman"]),
            secretary_id=int(values["secretary"]),
            pathologist_id=int(values["pathologist"]),
            pathologist_hospital_id=hospital.pk if hospital else None,
            place=values["place"],
            video_room=values["video_room"],
            opinions_first=values["opinions_first"],
        )

    def participant_ids(self) -> list[int]:
        return [int(key) for key in self.cleaned_data["participants"]]


def _initial_of(meeting: Meeting | None) -> dict[str, Any]:
    if meeting is None:
        return {}
    names = ("version", "place", "video_room", "opinions_first")
    offices = {name: str(getattr(meeting, f"{name}_id")) for name in _OFFICES}
    values = {name: getattr(meeting, name) for name in names}
    return {**values, **offices, "pathologist_hospital": meeting.pathologist_hospital_id}


def _named(people: Iterable[Any]) -> list[tuple[str, str]]:
    return [(str(person.pk), str(person)) for person in people]


class InviteForm(forms.Form):
    """Somebody of the review comes too."""

    person_id = forms.TypedChoiceField(label=_("Who"), coerce=int)
    part = forms.ChoiceField(label=_("As"))

    def __init__(self, *args: Any, people: Iterable[Any], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["person_id"].choices = _named(people)  # type: ignore[attr-defined]
        parts = [part for part in Participant.Part if part not in OFFICES[:2]]
        self.fields["part"].choices = [(part.value, part.label) for part in parts]  # type: ignore[attr-defined]
        self.fields["part"].initial = Participant.Part.CLINICIAN


class DeputyForm(forms.Form):
    """Somebody stands in for an officer of the meeting, or for a specialist who signs."""

    specialist_id = forms.TypedChoiceField(label=_("For which specialist"), coerce=int)
    person_id = forms.TypedChoiceField(label=_("Who stands in"), coerce=int)
    reason = _reason()

    def __init__(
        self,
        *args: Any,
        people: Iterable[Any],
        specialists: Iterable[Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.fields["person_id"].choices = _named(people)  # type: ignore[attr-defined]
        if specialists is None:
            del self.fields["specialist_id"]
        else:
            self.fields["specialist_id"].choices = _named(specialists)  # type: ignore[attr-defined]


class MoveForm(forms.Form):
    """To which other meeting."""

    to_meeting_id = forms.TypedChoiceField(label=_("To the meeting of"), coerce=int)
    reason = _reason()

    def __init__(self, *args: Any, meetings: Iterable[Meeting], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["to_meeting_id"].choices = [  # type: ignore[attr-defined]
            (str(each.pk), f"{timezone.localtime(each.starts_at):%Y-%m-%d %H:%M}")
            for each in meetings
        ]
