"""What a Tagger is made of: each expert gives every tag a score for a text, and says which words carried it."""
