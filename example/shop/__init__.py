"""The shop: the application that the migrations belong to."""
