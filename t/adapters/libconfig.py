"""Writes libconfig text: dicts are groups, tuples are lists, lists are arrays."""
import os


def text(value):
    """A string, quoted."""
    out = value.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return '"%s"' % "".join(c if c >= " " else "\\x%02x" % ord(c) for c in out)


def value(v, depth=0):
    pad = "  " * (depth + 1)
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, int):
        return str(v)
    if isinstance(v, dict):
        return "{\n%s%s}" % (settings(v, depth + 1), "  " * depth)
    if isinstance(v, tuple):
        return "(\n%s\n%s)" % (",\n".join(pad + value(x, depth + 1) for x in v), "  " * depth)
    if isinstance(v, list):
        return "[ %s ]" % ", ".join(value(x) for x in v)
    return text(v)


def settings(group, depth=0):
    """The lines of a group."""
    pad = "  " * depth
    return "".join("%s%s = %s;\n" % (pad, name, value(v, depth)) for name, v in group.items())


def write(path, group, mode=0o644):
    with open(path, "w", encoding="latin-1") as f:
        f.write(settings(group))
    os.chmod(path, mode)
