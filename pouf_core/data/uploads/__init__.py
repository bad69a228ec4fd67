"""Reading what people upload: the files, and those in archives, one by one, into items, labels and refusals."""
