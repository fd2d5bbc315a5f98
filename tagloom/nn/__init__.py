"""Networks: tensors in, tensors out. No files, no text, no HTTP."""
