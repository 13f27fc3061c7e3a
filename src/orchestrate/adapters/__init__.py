"""The outside world: spec files, secrets, runners, agents, backups, clients, notifications.

Each module is one door to one thing, and translates that thing's failures into our errors. Must
not decide what happens next, know the journal, or import `stores` or `reports`.
"""
