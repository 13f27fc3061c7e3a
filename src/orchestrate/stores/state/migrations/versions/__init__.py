"""The revisions of the state store's schema; `tables.REVISIONS` lists them in order."""
