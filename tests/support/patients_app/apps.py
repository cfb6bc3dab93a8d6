from django.apps import AppConfig


class Patients(AppConfig):
    """Installed by the tests' settings alone: a module with personal data, as far as models go."""

    name = "tests.support.patients_app"
    label = "patients"
    default_auto_field = "django.db.models.BigAutoField"
