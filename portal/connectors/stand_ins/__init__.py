"""Two small services that stand in for a registry and a laboratory, in the demo and in tests.

They are servers of their own that know nothing of the portal; their faults are switched over HTTP.
"""
