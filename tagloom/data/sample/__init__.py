"""The sample shop: made by our own generator, with a planted answer for every job."""

from tagloom.data.sample.files import SampleFiles, sample_events, sample_products, write_sample

__all__ = ["SampleFiles", "sample_events", "sample_products", "write_sample"]
