"""Hospital Portal: the shared platform under every module."""

__version__ = "0.1.0"
