"""Links in markdown: changed, or taken away where what they lead to is not there."""

import re
from urllib.parse import unquote

# Code and formulas first, in which [x](y) is no link.
NO_LINK = r"```.*?```|~~~.*?~~~|(?<!`)`[^`\n]+`|\$\$.*?\$\$|(?<!\\)\$[^$\n]+\$"
LINK = re.compile(rf"(?s){NO_LINK}|(?<!!)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(<?([^()\s<>]+)>?((?: \"[^\"]*\")?)\)")


def changed(text, change):
    """Markdown in which every link to a file of the course leads to `change(target)`, or keeps only its words.

    change: function of the file that a link names to another one, or to None where the link has to go.
    """

    def mended(match):
        if match[2] is None:
            return match[0]
        target, mark, anchor = match[2].partition("#")
        if not target or ":" in target.partition("/")[0]:  # an anchor of the same page, or https:, mailto:
            return match[0]
        new = change(unquote(target))
        return match[1] if new is None else f"[{match[1]}]({new}{mark}{anchor}{match[3]})"

    return LINK.sub(mended, text)


def kept_where_there(text, folder):
    """Markdown that lies in `folder`, without links to what is not there."""
    return changed(text, lambda target: target if (folder / target).exists() else None)
