"""The command line: click commands, one file a family.

Owns the wiring of adapters and stores to what runs, and is the one place where errors become text
and an exit status. Must not decide anything about migrations, talk to a database, or hold state.
"""
