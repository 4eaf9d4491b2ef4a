"""The pages: rendered on the server, readable without JavaScript, live with a little of it."""
