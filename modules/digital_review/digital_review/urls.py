"""Addresses of Digital Review: each part has a file of its own."""

from digital_review.urls_cases import urlpatterns as cases
from digital_review.urls_meetings import urlpatterns as meetings
from digital_review.urls_outside import urlpatterns as outside
from digital_review.urls_overview import urlpatterns as overview
from digital_review.urls_setup import urlpatterns as setup
from digital_review.urls_slides import urlpatterns as slides

app_name = "digital_review"
urlpatterns = [*overview, *cases, *meetings, *setup, *slides, *outside]
