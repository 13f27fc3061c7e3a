"""Pure decisions: the plan, gates, resume, drift, risk.

Every function takes values and `now` and returns a value, so that a test is literals in, whole
value out. Must not read a file, a clock, an environment variable or a database.
"""
