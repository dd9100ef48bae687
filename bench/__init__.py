"""`make bench`: everything that is claimed about speed, measured on this machine."""
