"""Work on what is stored, which the service does by itself once an hour, too."""
