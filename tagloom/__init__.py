"""tagloom."""
