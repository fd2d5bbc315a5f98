"""Recommend products and tags: the Recommender, its models and baselines."""
