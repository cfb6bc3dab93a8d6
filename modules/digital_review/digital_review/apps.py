"""Digital Review's declaration to the portal, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from portal.registry import (
    DesignArea,
    HomePanel,
    LiveTopic,
    NavigationItem,
    PeriodicTask,
    PortalModule,
    Privilege,
    Role,
    Signable,
)


@dataclass(frozen=True)
class DigitalReviewSettings:
    """``[digital_review]`` of the module settings file."""

    slides_folder: str
    """Where uploaded slide images and their tiles are kept."""
    largest_slide_mb: int = 4000
    video_host: str = ""
    """The house's own Jitsi, such as ``https://meet.example.org``; empty: no video rooms."""
    video_app: str = ""
    video_secret_file: str = ""
    """The file with the key that Jitsi's tokens are signed with."""

    def __post_init__(self) -> None:
        if not Path(self.slides_folder).is_absolute():
            raise ImproperlyConfigured(
                f"slides_folder must be an absolute path, not {self.slides_folder!r}"
            )
        if self.largest_slide_mb < 1:
            raise ImproperlyConfigured("largest_slide_mb must be 1 or more")
        if self.video_host and not self.video_host.startswith("https://"):
            raise ImproperlyConfigured("video_host must begin with https://")
        if bool(self.video_app) != bool(self.video_secret_file):
            raise ImproperlyConfigured("video_app and video_secret_file go together")


_SEE = ("digital_review.see_reviews", "digital_review.see_personal_data")
_HOSPITAL = ("digital_review.see_hospital_forms", "digital_review.see_personal_data")
_CLINICIAN = (*_SEE, "digital_review.add_anamnesis", "digital_review.take_part")
_MEETING = (*_SEE, "digital_review.take_part")
_MANAGER = (
    *_SEE,
    "digital_review.start_forms",
    "digital_review.manage_reviews",
    "digital_review.manage_review_types",
    "forms.design_forms",
    "forms.publish_forms",
    "flows.design_flows",
    "flows.publish_flows",
    "accounts.manage_external",
    "access.grant_role",
)
_ALL_ROLES = (
    # nobody gives others what they do not hold: the manager names the people of all other roles
    *_HOSPITAL,
    *_CLINICIAN,
    "digital_review.fill_hospital_forms",
    "digital_review.sign_hospital_forms",
    "digital_review.write_pathology",
    "digital_review.lead_meetings",
    "digital_review.keep_minutes",
    "digital_review.sign_reviews",
)


class DigitalReview(PortalModule):
    name = "digital_review"
    label = "digital_review"
    verbose_name = _("Digital Review")
    icon = "microscope"
    version = "0.1.0"
    portal_versions = ">=0.1,<0.2"
    settings_schema = DigitalReviewSettings
    privileges = (
        Privilege("digital_review.see_reviews", _("See patients in review, and meetings")),
        Privilege("digital_review.see_personal_data", _("See initials and dates of birth")),
        Privilege("digital_review.see_hospital_forms", _("See the forms of the own hospital")),
        Privilege("digital_review.fill_hospital_forms", _("Fill in the hospital's forms")),
        Privilege("digital_review.sign_hospital_forms", _("Sign the hospital's forms")),
        Privilege("digital_review.start_forms", _("Start forms, and fill them in for hospitals")),
        Privilege("digital_review.add_anamnesis", _("Add anamnesis")),
        Privilege("digital_review.write_pathology", _("Write pathology, receive slides")),
        Privilege("digital_review.take_part", _("Take part in meetings, give opinions")),
        Privilege("digital_review.lead_meetings", _("Lead meetings")),
        Privilege("digital_review.keep_minutes", _("Keep the minutes of meetings")),
        Privilege("digital_review.sign_reviews", _("Sign central reviews")),
        Privilege("digital_review.manage_reviews", _("Plan meetings, force reviews")),
        Privilege("digital_review.manage_review_types", _("Set up review types")),
    )
    roles = (
        Role("datamanager", _("Data manager"), (*_HOSPITAL, "digital_review.fill_hospital_forms")),
        Role(
            "treating_doctor",
            _("Treating doctor"),
            (
                *_HOSPITAL,
                "digital_review.fill_hospital_forms",
                "digital_review.sign_hospital_forms",
            ),
        ),
        Role("clinician", _("Clinician"), (*_CLINICIAN, "digital_review.sign_reviews")),
        Role("trial_bureau", _("Trial bureau"), (*_SEE, "digital_review.start_forms")),
        Role(
            "review_pathologist",
            _("Review pathologist"),
            (*_MEETING, "digital_review.write_pathology"),
        ),
        Role("chairman", _("Chairman"), (*_MEETING, "digital_review.lead_meetings")),
        Role("secretary", _("Minutes secretary"), (*_MEETING, "digital_review.keep_minutes")),
        Role("specialist", _("Responsible specialist"), (*_MEETING, "digital_review.sign_reviews")),
        Role(
            "review_manager",
            _("Review manager"),
            tuple(dict.fromkeys((*_MANAGER, *_ALL_ROLES))),
            significant=True,
        ),
    )
    urls = "digital_review.urls"
    navigation = (
        NavigationItem(
            _("Patients in review"),
            "digital_review:overview",
            "users",
            ("digital_review.see_reviews",),
        ),
        NavigationItem(
            _("Meetings"), "digital_review:meetings", "calendar", ("digital_review.see_reviews",)
        ),
        NavigationItem(
            _("Forms to fill in"),
            "digital_review:forms",
            "clipboard",
            ("digital_review.see_hospital_forms", "digital_review.start_forms"),
        ),
        NavigationItem(
            _("Review types"),
            "digital_review:review_types",
            "gear",
            ("digital_review.manage_review_types",),
        ),
        NavigationItem(
            _("People of the reviews"),
            "digital_review:people",
            "users",
            ("digital_review.manage_reviews",),
        ),
    )
    design_areas = (
        DesignArea(
            "digital_review",
            _("Digital Review"),
            form_names="digital_review.selectors.facts.form_names",
            flow_facts="digital_review.selectors.facts.flow_facts",
            flow_roles="digital_review.selectors.facts.flow_roles",
            flow_actions="digital_review.selectors.facts.flow_actions",
            conduct="digital_review.services.conduct.CONDUCT",
            # "case": from the case's own other forms, by the name of a fact
            connectors=("registry", "laboratory", "case"),
        ),
    )
    home_panels = (
        HomePanel(
            "digital-review-next",
            _("My next review"),
            "digital_review.views.panels.next_review",
            ("digital_review.see_reviews",),
        ),
        HomePanel(
            "digital-review-waiting",
            _("Patients waiting for me"),
            "digital_review.views.panels.waiting",
            ("digital_review.see_reviews", "digital_review.see_hospital_forms"),
        ),
    )
    search_source = "digital_review.selectors.search.search"
    task_source = "digital_review.selectors.tasks.open_tasks"
    live_topics = (
        LiveTopic(
            r"digital_review/case/(?P<pk>\d+)", "digital_review.selectors.topics.may_see_case"
        ),
        LiveTopic(
            r"digital_review/form/(?P<pk>\d+)", "digital_review.selectors.topics.may_see_form"
        ),
        LiveTopic(
            r"digital_review/meeting/(?P<pk>\d+)/slide",
            "digital_review.services.shared_view.may_follow",
        ),
        LiveTopic("digital_review/forms", "digital_review.selectors.topics.may_see_forms"),
        LiveTopic(
            r"digital_review/setup/(?P<model>[a-z]+)",
            "digital_review.selectors.setup.may_see_setup",
        ),
        LiveTopic(
            "digital_review/meetings", "digital_review.selectors.meeting_topics.may_see_meetings"
        ),
        LiveTopic(
            r"digital_review/meeting/(?P<pk>\d+)",
            "digital_review.selectors.meeting_topics.may_see_meeting",
        ),
        LiveTopic(
            r"digital_review/room/(?P<pk>\d+)",
            "digital_review.selectors.meeting_topics.may_enter_room",
        ),
        LiveTopic(
            r"digital_review/minutes/(?P<pk>\d+)",
            "digital_review.selectors.meeting_topics.may_read_minutes",
        ),
    )
    periodic_tasks = (
        PeriodicTask(
            "digital review: reminders, follow-ups", "digital_review.tasks.every_day", 3600
        ),
        PeriodicTask("slides: cut waiting", "digital_review.tasks.cut_waiting_slides", 60),
        PeriodicTask("meetings: prepare", "digital_review.tasks.prepare_review_meetings", 600),
    )
    signables = (
        Signable(
            "digital_review.form",
            _("Form of a review"),
            "digital_review.services.signing.form_facts",
        ),
    )
    demo_people = "digital_review.demo.people"
    demo_data = "digital_review.demo.load"
