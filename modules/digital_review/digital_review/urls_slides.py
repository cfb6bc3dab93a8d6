"""Addresses of slides."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
