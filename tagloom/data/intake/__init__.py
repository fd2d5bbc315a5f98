"""Users' files to checked rows: what is wrong is set aside with its reason, never lost."""
