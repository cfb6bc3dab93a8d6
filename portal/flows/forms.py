"""What is typed in the flow editor: each form knows its part, and gives it back as it is now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from portal.access.forms import UnitField
from portal.flows.presentation import state_title, transition_title
from portal.flows.rules.definition import (
    Action,
    Machine,
    State,
    StateKind,
    Timer,
    Transition,
    Unit,
)
from portal.flows.rules.editing import Part
from portal.flows.rules.publishing import LONGEST_DELAY, Argument, Registry
from portal.flows.words import STATE_KINDS, UNITS
from portal.forms.rules.codec import Settings
from portal.forms.rules.definition import CODE
from portal.forms.rules.expressions import LONGEST as LONGEST_RULE
from portal.forms.rules.texts import Words

LONGEST_TITLE, LONGEST_HELP = 200, 2_000
LANGUAGES = dict(settings.LANGUAGES)


class CodeField(forms.RegexField):
    """A code: also its name in rules and exports."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("label", _("Code"))
        options.setdefault(
            "help_text", _("A letter, then letters, digits and _. Rules and exports use it.")
        )
        super().__init__(CODE, max_length=64, **options)


class NewFlowForm(forms.Form):
    """A flow, empty or from a file."""

    area = forms.ChoiceField(label=_("Used by"))
    unit = UnitField(label=_("Of the unit"))
    title = forms.CharField(label=_("Title"), max_length=LONGEST_TITLE, required=False)
    code = CodeField(required=False)
    languages = forms.MultipleChoiceField(
        label=_("Languages"),
        choices=settings.LANGUAGES,
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    file = forms.FileField(
        label=_("From a file"),
        required=False,
        help_text=_(
            "A flow that was exported here or elsewhere; its code and title if none are given."
        ),
    )

    def __init__(
        self, *args: Any, areas: list[tuple[str, Any]], units: Any, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.fields["area"].choices = areas  # type: ignore[attr-defined]
        self.fields["unit"].queryset = units  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if not given.get("file"):
            for name in ("title", "code", "languages"):
                if name not in self.errors and not given.get(name):
                    self.add_error(name, self.fields[name].error_messages["required"])
        return given


class PartForm(forms.Form):
    """Words in every language, and what the part needs besides. ``part()`` is what was typed."""

    words: tuple[tuple[str, Any, int], ...] = (("title", _("Title"), LONGEST_TITLE),)

    def __init__(
        self,
        *args: Any,
        machine: Machine,
        part: Any,
        registry: Registry | None = None,
        roles: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.machine, self.was = machine, part
        self.registry, self.roles = registry or {}, dict(roles or {})
        for name, label, longest in self.words:
            self._add_words(name, label, longest)

    def _add_words(self, name: str, label: Any, longest: int) -> None:
        texts = dict(getattr(self.was, name).by_language)
        short = longest <= LONGEST_TITLE
        for language in self.machine.languages:
            self.fields[f"{name}_{language}"] = forms.CharField(
                label=f"{label} ({LANGUAGES.get(language, language)})",
                max_length=longest,
                required=False,
                initial=texts.get(language, ""),
                widget=forms.TextInput() if short else forms.Textarea(attrs={"rows": 2}),
            )

    def words_of(self, name: str) -> Words:
        typed = {each: self.cleaned_data[f"{name}_{each}"] for each in self.machine.languages}
        return Words.of({language: text for language, text in typed.items() if text})

    @property
    def word_fields(self) -> list[Any]:
        names = [name for name, _label, _longest in self.words]
        return [self[f"{name}_{each}"] for name in names for each in self.machine.languages]

    def part(self) -> Part:
        raise NotImplementedError


class WithActions(PartForm):
    """A part with actions: each argument of each action is a field."""

    actions_of = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.had: tuple[Action, ...] = getattr(self.was, self.actions_of)
        for number, action in enumerate(self.had):
            given = action.arguments.as_dict()
            for name, wanted, needed in self._arguments(action):
                field = self._field(wanted, name, needed=needed)
                field.initial = given.get(name)
                self.fields[f"action_{number}_{name}"] = field

    def _arguments(self, action: Action) -> Iterator[tuple[str, Argument, bool]]:
        kind = self.registry.get(action.name)
        if kind is not None:
            yield from ((name, wanted, True) for name, wanted in kind.needs.items())
            yield from ((name, wanted, False) for name, wanted in kind.takes.items())

    def _field(self, wanted: Argument, name: str, *, needed: bool) -> forms.Field:
        # nothing is demanded of a draft: what an action lacks is named among the faults
        label = name.replace("_", " ").capitalize()
        if wanted is Argument.TRUTH:
            return forms.BooleanField(label=label, required=False)
        if wanted is Argument.NUMBER:
            return forms.IntegerField(label=label, required=False)
        if wanted is Argument.TEXT:
            return forms.CharField(label=label, required=False, max_length=LONGEST_HELP)
        choices = (
            [*self.roles.items()]
            if wanted is Argument.ROLE
            else [(timer.code, timer.code) for timer in self.machine.timers]
        )
        return forms.ChoiceField(label=label, required=False, choices=[("", "–"), *choices])

    @property
    def action_rows(self) -> list[dict[str, Any]]:
        """Each action with its bound fields, for the page."""
        return [
            {
                "number": number,
                "name": action.name.replace("_", " "),
                "known": action.name in self.registry,
                "fields": [
                    self[f"action_{number}_{name}"] for name, _w, _n in self._arguments(action)
                ],
            }
            for number, action in enumerate(self.had)
        ]

    def actions(self) -> tuple[Action, ...]:
        return tuple(self._action(number, action) for number, action in enumerate(self.had))

    def _action(self, number: int, action: Action) -> Action:
        if action.name not in self.registry:
            return action
        given: dict[str, Any] = {}
        for name, wanted, needed in self._arguments(action):
            value = self.cleaned_data[f"action_{number}_{name}"]
            left_out = value in (None, "") or (wanted is Argument.TRUTH and not value)
            if not left_out or (needed and wanted is Argument.TRUTH):
                given[name] = value
        return replace(action, arguments=Settings.of(**given))


class StateForm(WithActions):
    words = (("title", _("Title"), LONGEST_TITLE), ("help", _("Help"), LONGEST_HELP))
    actions_of = "on_entry"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["kind"] = forms.ChoiceField(
            label=_("Kind"),
            choices=[(str(kind), label) for kind, label in STATE_KINDS.items()],
            initial=str(self.was.kind),
        )

    def part(self) -> State:
        return replace(
            self.was,
            title=self.words_of("title"),
            help=self.words_of("help"),
            kind=StateKind(self.cleaned_data["kind"]),
            on_entry=self.actions(),
        )


class TransitionForm(WithActions):
    actions_of = "actions"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        was: Transition = self.was
        states = [(each.code, state_title(self.machine, each.code)) for each in self.machine.states]
        gone = [(code, code) for code in was.sources if code not in self.machine.by_code]
        self.fields["sources"] = forms.MultipleChoiceField(
            label=_("From"),
            choices=[*states, *gone],
            initial=was.sources,
            required=False,
            widget=forms.CheckboxSelectMultiple,
        )
        self.fields["target"] = forms.ChoiceField(
            label=_("To"), choices=[("", "–"), *states], initial=was.target, required=False
        )
        self.fields["guard"] = forms.CharField(
            label=_("Guard"),
            help_text=_("Open only while this rule is true; empty: always."),
            initial=was.guard,
            required=False,
            max_length=LONGEST_RULE,
            widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "code"}),
        )
        former = [(code, code) for code in was.roles if code not in self.roles]
        self.fields["roles"] = forms.MultipleChoiceField(
            label=_("Who may take it"),
            choices=[*self.roles.items(), *former],
            initial=was.roles,
            required=False,
            widget=forms.CheckboxSelectMultiple,
        )
        self.fields["forced"] = forms.BooleanField(
            label=_("Forced: by a person's decision, with a reason"),
            initial=was.forced,
            required=False,
        )

    def part(self) -> Transition:
        given = self.cleaned_data
        return replace(
            self.was,
            title=self.words_of("title"),
            sources=tuple(given["sources"]),
            target=given["target"],
            guard=given["guard"],
            roles=tuple(given["roles"]),
            forced=given["forced"],
            actions=self.actions(),
        )


class TimerForm(PartForm):
    words = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        ways = [
            (each.code, transition_title(self.machine, each.code))
            for each in self.machine.transitions
        ]
        self.fields["transition"] = forms.ChoiceField(
            label=_("Takes the transition"),
            choices=[("", "–"), *ways],
            initial=self.was.transition,
            required=False,
        )
        self.fields["after"] = forms.IntegerField(
            label=_("After"),
            initial=self.was.after,
            min_value=1,
            max_value=max(LONGEST_DELAY.values()),
        )
        self.fields["unit"] = forms.ChoiceField(
            label=_("Unit"),
            choices=[(str(unit), label) for unit, label in UNITS.items()],
            initial=str(self.was.unit),
        )
        self.fields["by_action"] = forms.BooleanField(
            label=_("Begins with an action that starts it, not with entering the state"),
            initial=self.was.by_action,
            required=False,
        )

    def part(self) -> Timer:
        given = self.cleaned_data
        return replace(
            self.was,
            transition=given["transition"],
            after=given["after"],
            unit=Unit(given["unit"]),
            by_action=given["by_action"],
        )


class FlowForm(PartForm):
    """The flow's own words."""

    words = (
        ("title", _("Title"), LONGEST_TITLE),
        ("description", _("Description"), LONGEST_HELP),
    )

    def changed(self) -> Machine:
        return replace(
            self.machine,
            title=self.words_of("title"),
            description=self.words_of("description"),
        )


PART_FORMS: dict[str, type[PartForm]] = {
    "state": StateForm,
    "transition": TransitionForm,
    "timer": TimerForm,
}
