#!/usr/bin/env python
"""Django's command line for the portal. In a second terminal it reaches the running demo."""

import os
import sys

from django.core.management import execute_from_command_line

from portal.demo.environment import use_running_demo

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.config.settings.demo")
    use_running_demo()
    execute_from_command_line(sys.argv)
