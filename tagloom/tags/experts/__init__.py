"""What a Tagger can be made of: each expert alone gives every tag a score for a text, and says which words carried it."""
