"""What an instance answers over HTTP: the REST interface, live streams, badges, and its pages."""
