"""Text to words, sub-words and word vectors."""
