"""What writes project files: declared deps, docs, locks, workspaces, corpora, studies."""
