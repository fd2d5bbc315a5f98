"""Tag products: the Tagger, its models and baselines."""
