"""How fast the service is, beside a bare server and beside the libraries one could use instead (`make bench`)."""
