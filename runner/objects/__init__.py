"""Where bytes live: one protocol, and a folder, a memory or an S3 server behind it."""
