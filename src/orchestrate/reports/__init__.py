"""Rendering of values for people and programs: text, JSON, Markdown, HTML, JUnit.

Owns every name and shape of the output. Takes finished values and returns text; must not observe,
decide, or write to a stream.
"""
