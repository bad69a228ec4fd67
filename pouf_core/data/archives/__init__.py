"""Reading untrusted archives: members come out as bytes, nothing is written anywhere."""
