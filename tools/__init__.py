"""Scripts of this repository that are not shipped: generators of pages, checks."""
