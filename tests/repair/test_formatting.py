"""What a repair does not touch stays as it is, byte for byte, however the file is written."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tokenize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopviz.repair import KINDS, Refused, Repaired, possible, repaired
from tests.repair.sources import line_of, refusal, repair

PLAIN = "import time\n\n\nasync def f(x):\n    y = 1\n    time.sleep(x)\n    return y\n"


@pytest.mark.parametrize(
    "source",
    [
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("    ", "\t"),
        PLAIN.replace("    ", " "),
        "\ufeff" + PLAIN,
        "# -*- coding: latin-1 -*-\n" + PLAIN,
        "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n" + PLAIN,
        PLAIN.replace("async", "\f\nasync"),
        PLAIN.replace("async", "\fasync"),
        PLAIN.replace("    y = 1", "\f    y = 1"),
        PLAIN.replace("    time", "    \f\n    time"),
        PLAIN.replace("y = 1", "y = 'ä€😀'; z = '\u2028\x85'"),
        PLAIN.replace("time.sleep(x)", "z = 'ä€😀'; time.sleep(x)"),
        PLAIN.replace("y = 1", "y = 1 + \\\n  2"),
        PLAIN.replace("y = 1", "y = '''\n  \t \n'''"),
        PLAIN.replace("time.sleep(x)", "time.sleep(x)   \t # why  "),
        PLAIN.replace("time.sleep(x)", "time . sleep ( x )"),
        PLAIN.rstrip("\n"),
        PLAIN.replace("    return y\n", "")[:-1],
        PLAIN + "  # the end",
        PLAIN + "\n\n\n",
        PLAIN.replace("async def", "@a.b[0](1)\n@c\nasync  def"),
        PLAIN.replace("import time", "import time\r"),
    ],
)
def test_only_the_lines_of_the_repair_differ(source):
    """Line ends, tabs, form feeds, marks, comments and strings of other lines are as they were."""
    done = repair(source, "async-sleep", "sleep")
    end = "\r\n" if "\r\n" in source else "\r" if "\n" not in source else "\n"
    expected = source.replace("time . sleep ( x )", "asyncio.sleep ( x )").replace(
        "time.sleep", "asyncio.sleep"
    )
    expected = expected.replace("asyncio.sleep", "await asyncio.sleep").replace(
        "import time", "import asyncio"
    )
    assert done == expected
    assert end in done


def test_the_diff_can_be_applied():
    """It has three lines of context, and says where a file has no line end."""
    done = repaired(PLAIN.rstrip("\n"), "async-sleep", line=6, function="f", name="a/b.py")
    assert isinstance(done, Repaired)
    assert done.diff == (
        "--- a/a/b.py", "+++ b/a/b.py", "@@ -1,7 +1,7 @@", "-import time", "+import asyncio", " ", " ",
        " async def f(x):", "     y = 1", "-    time.sleep(x)", "+    await asyncio.sleep(x)",
        "     return y",
        "\\ No newline at end of file",
    )  # fmt: skip


def test_patch_takes_the_diff(tmp_path):
    """`git apply` makes the repaired file of the original, also with CRLF or without a last line end."""
    for name, source in {
        "a.py": PLAIN,
        "b.py": PLAIN.replace("\n", "\r\n"),
        "c.py": PLAIN.rstrip("\n"),
    }.items():
        (tmp_path / name).write_bytes(source.encode())
        done = repaired(source, "async-sleep", line=6, function="f", name=name)
        assert isinstance(done, Repaired)
        patch = "".join(f"{line}\n" for line in done.diff).encode()
        subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch, check=True, timeout=30)
        assert (tmp_path / name).read_bytes().decode() == done.source


@pytest.mark.parametrize(
    "source",
    [
        "async def f(:\n",
        "x = (\n",
        "  x = 1\n",
        "x = '\n",
        "a\0b",
        "return 1\nx=\x00",
        "(" * 300 + ")" * 300,
        "\\",
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_python_is_refused(source, kind):
    """A file that cannot be parsed is refused with a sentence, also where a parser gives up."""
    done = repaired(source, kind, line=1, function="f")
    assert isinstance(done, Refused)
    assert done.why
    assert possible(source, line=1, function="f") is None


def test_a_kind_that_does_not_exist():
    """It is refused like what is not possible."""
    assert repaired(PLAIN, "magic", line=6, function="f") == Refused("There is no repair of the kind magic.")


def test_a_long_file_takes_no_longer():
    """Of a file with 2,000 lines, only the one that is changed is parsed with its formatting."""
    other = "async def g{0}(a, b):\n    x = await g(a, b=b)\n"
    other += "    return [y for y in x if y], {{'a': 1, 'b': x}}\n\n\n"
    source = "".join(other.format(n) for n in range(400)) + PLAIN.replace("import time\n\n\n", "    \n", 1)
    source = "import time\n" + source
    done = repair(source, "async-sleep", "time.sleep(x)")
    assert (
        done.replace("await asyncio.sleep", "time.sleep").replace("import asyncio", "import time") == source
    )


def test_many_strings_that_look_like_code():
    """Text in strings, docstrings and comments is no code."""
    source = (
        '"""time.sleep(1)"""\nimport time  # time.sleep(2)\n\n\nasync def f():\n    """time.sleep(3)"""\n'
        "    x = 'time.sleep(4)'  # time.sleep(5)\n    time.sleep(6)  # time.sleep(7)\n"
        "    return f'{x}time.sleep(8)'\n"
    )
    done = repair(source, "async-sleep", "time.sleep(6)")
    assert done.count("await asyncio.sleep(6)") == done.count("asyncio.sleep") == 1


def test_new_syntax():
    """Type parameters, and quotes within quotes, are understood where Python understands them."""
    if sys.version_info < (3, 12):
        return
    source = "import time\n\n\nasync def f[T](x: T):\n    time.sleep(x)\n    return f'{x['a']}'\n"
    assert "await asyncio.sleep(x)\n    return f'{x['a']}'" in repair(source, "async-sleep", "time.sleep")


def test_an_import_within_a_text_of_several_lines():
    """Nothing is inserted into a string that begins on the line of an import."""
    source = 'import time; x = """\n"""\n\n\nasync def f():\n    time.sleep(1)\n'
    done = repair(source, "async-sleep", "time.sleep")
    assert done.startswith('import asyncio\nimport time; x = """\n"""\n')
    source = 'import abc; x = """\n"""\n\n\nasync def f():\n    import time\n    time.sleep(1)\n'
    assert "other statements" in refusal(source, "async-sleep", "time.sleep")


SPACE = st.sampled_from(["", " ", "  ", "\t"])
BREAK = st.sampled_from(["", " ", "\n        ", "  # a comment\n   ", " \\\n "])
INDENT = st.sampled_from(["    ", "\t", "  ", " "])
END = st.sampled_from(["\n", "\r\n"])
STATEMENTS = st.lists(
    st.sampled_from([
        "x = 1", "if x:{e}{i}{i}pass", "# a comment", "", "   ", "x = [\n1,\n  2, ]", "y = x ;z=2", "\f",
        "pass  # ä€",
        "s = '''\n\n  text'''", "with a as b, c:{e}{i}{i}x=b", "@d{e}{i}def g(*a,**k):{e}{i}{i}return  a",
        "x+=(  1)",
        "match x:{e}{i}{i}case {{'a':1,**b}}: pass", "x = y if(n:=1)else(2)",
        "async with a:{e}{i}{i}await b ;",
    ]),
    max_size=4,
)  # fmt: skip


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(before=STATEMENTS, after=STATEMENTS, indent=INDENT, end=END, space=SPACE, inner=BREAK, data=st.data())
def test_random_formatting(before, after, indent, end, space, inner, data):
    """Whatever is around a call, and however it is written: only its own lines change."""
    outside = data.draw(
        st.sampled_from(["", "# first", "x = 0", "\f", "class A: pass", "def f(): pass", "'''doc'''"])
    )
    call, kind, expected = data.draw(
        st.sampled_from([
            ("time{s}.{s}sleep{s}({b}1{b})", "async-sleep", "await asyncio.sleep{s}({b}1{b})"),
            ("v={s}slow({b}a,{b}*b,)", "to-thread", "v={s}await asyncio.to_thread({b}slow, a,{b}*b,)"),
            ("v = httpx.get({b}url,{b}timeout{s}={s}1)", "async-client",
             "v = await client.get({b}url,{b}timeout{s}={s}1)"),
        ])
    )  # fmt: skip
    fill = {"s": space, "b": inner, "e": "\n", "i": indent}
    lines = [*before, call, *after]
    body = "".join(f"{indent}{line.format(**fill)}\n" if line.strip() else f"{line}\n" for line in lines)
    source = f"{outside}\nimport time\nimport httpx\n\nasync def f(a, b):\n{body}{indent}return 1\n"
    text = source.replace("\n", end)
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return
    line = text[: text.index(call.format(**fill).replace("\n", end))].count("\n") + 1
    done = repaired(text, kind, line=line, function="f")
    assert isinstance(done, Repaired), (done, text)
    compile(done.source, "f.py", "exec", dont_inherit=True)
    assert expected.format(**fill).replace("\n", end) in done.source
    changed = [line[1:] for line in done.diff[2:] if line.startswith(("+", "-")) and line[1:].strip()]
    own = {
        *call.format(**fill).splitlines(),
        *expected.format(**fill).splitlines(),
        "import time",
        "import asyncio",
    }
    own.add("client = httpx.AsyncClient()")
    assert {line.strip() for line in changed} <= {line.strip() for line in own}, done.diff


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_hostile_files(data):
    """Whatever the text and the place, there is an answer, and what is repaired compiles."""
    parts = data.draw(
        st.lists(
            st.sampled_from([
                "import time\n", "from time import *\n", "import time as t, os\n", "async def f(time=1):\n",
                "async def f():\n", "def f():\n", "    time.sleep(1)\n", "    t.sleep(1)\n",
                "    return [time.sleep(n) for n in x]\n",
                "class A:\n", "    async def f(self): time.sleep(2)\n",
                "    x = await g(1)\n", "    y = await g(2)\n",
                "async def g(x): return x\n", "@app.get('/')\n", "\f", "\r\n", "    ", "\t", "# c\n", "'''\n",
                "lambda: 0\n", "x = \\\n",
                "    requests.get(u).json()\n", "import requests\n", "app = FastAPI()\n",
                "\ufeff", "\0", "é\n", "    open(p).read()\n",
            ]),
            max_size=10,
        )
    )  # fmt: skip
    source = "".join(parts)
    kind, line = data.draw(st.sampled_from(KINDS)), data.draw(st.integers(0, 12))
    done = repaired(
        source, kind, line=line, function=data.draw(st.sampled_from(["", "f", "g", "A.f", "<module>"]))
    )
    if isinstance(done, Repaired):
        ast.parse(done.source.removeprefix("\ufeff"))
        list(tokenize.generate_tokens(io.StringIO(done.source.removeprefix("\ufeff")).readline))
    else:
        assert done.why
    assert possible(source, line=line, function="f") in {None, *KINDS}


def test_planning_loads_no_libcst():
    """Neither the package nor the choice of a kind loads LibCST, which takes a quarter of a second."""
    code = (
        "import sys, loopviz.repair as r\n"
        f"kind = r.possible({PLAIN!r}, line={line_of(PLAIN, 'sleep')}, function='f')\n"
        "print(kind, 'libcst' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "async-sleep False\n"
