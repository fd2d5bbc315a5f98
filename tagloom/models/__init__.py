"""A shop's models as versions: one file for each job."""
