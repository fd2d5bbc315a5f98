"""What a Recommender is made of: each expert gives every product a score for a history."""
