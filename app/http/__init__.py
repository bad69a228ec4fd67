"""Parts of HTTP that every resource shares."""
