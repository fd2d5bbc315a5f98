"""Metrics, each naming its definition, and the reports made of them."""
