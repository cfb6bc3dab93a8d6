"""Reading, writing and comparing with outside systems; what operators do by hand."""

from portal.connectors.configuration import is_declared, takes
from portal.connectors.services.comparing import compare
from portal.connectors.services.reading import Reading, read, refresh
from portal.connectors.services.reading_ahead import prepare
from portal.connectors.services.writing import write

__all__ = ["Reading", "compare", "is_declared", "prepare", "read", "refresh", "takes", "write"]
