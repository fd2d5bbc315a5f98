"""Dirty tags to standard ones with stable ids: cleaning, and the vocabulary with its history."""
