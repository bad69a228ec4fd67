"""From uploaded files to the items of a dataset."""
