"""The kinds of outside systems: each asks and writes within time-outs, and knows no database of
ours."""
