"""Browser tests: the whole portal on real parts. A package, so that they share one stack."""
