"""The files and tables that are ours: the journal, leases, plans, approvals, catalogues.

Owns their formats, versions and durability. Must not touch a target's database, decide what an
entry means for a run, or import `adapters` or `reports`.
"""
