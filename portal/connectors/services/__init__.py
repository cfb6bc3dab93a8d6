"""Reading, writing and comparing with outside systems; what operators do by hand."""

from portal.connectors.configuration import is_declared
from portal.connectors.services.comparing import compare
from portal.connectors.services.reading import Reading, read, refresh
from portal.connectors.services.writing import write

__all__ = ["Reading", "compare", "is_declared", "read", "refresh", "write"]
