"""The values that everything else speaks in: spec, observation, plan, events, findings.

Frozen dataclasses and closed unions. Must not do I/O, validate what people wrote, or know how a
value is stored or shown.
"""
