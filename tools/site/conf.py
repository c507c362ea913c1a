"""The site of the documentation: the same Markdown pages that are read in the repository, with a menu and a search.

`make docs` builds it into target/site. Links between pages are checked by tools/check_docs.py, which knows the repository's other files too.
"""

project = "SyncHub Webhooks"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["docs/**.md", "README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
html_theme = "furo"
html_title = "SyncHub Webhooks"
html_copy_source = False
myst_heading_anchors = 4
# `suppress_warnings` names only what is no mistake here: links to folders and files that are no pages, diagrams shown as text, and pages that only others lead to.
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure", "toc.not_included"]
