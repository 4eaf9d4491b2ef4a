"""Makes pipelines happen: engine, executors, workspace, database, git, API, pages, command line."""
