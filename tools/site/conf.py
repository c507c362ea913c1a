"""The documentation site: the Markdown pages of the repository, with a menu and a search.

`make docs` builds it into target/site. tools/check_docs.py checks the links, because it also knows the other files of the repository.
"""

project = "SyncHub Webhooks"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["docs/**.md", "README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
html_theme = "furo"
html_title = "SyncHub Webhooks"
html_copy_source = False
myst_heading_anchors = 4
# These warnings are not mistakes here: links to folders and files that are not pages, diagrams that are shown as text, and pages that
# are not in the menu but linked from other pages.
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure", "toc.not_included"]
