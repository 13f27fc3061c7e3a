"""All that differs between databases, one module each behind one interface and one registry.

Owns identity, read-only sessions, timeouts, leases, transactional DDL, snapshot queries, backup
commands and lint rules, as text and values. Must not connect or run anything; comparing a
dialect's name anywhere else is a defect.
"""
