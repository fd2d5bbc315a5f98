"""Raw files to checked tables to numbers."""
