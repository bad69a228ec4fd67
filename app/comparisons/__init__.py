"""Two jobs over one dataset, compared by what several resources know of them."""
