"""Reads a query before it is run, and refuses what could do harm: by what the parser finds, not by searching the text.

The parser is rdflib's, and the query is run by Oxigraph, which reads some texts in another way: what is a comment or a
string to the one can be a SERVICE to the other. So both are given a text that they read alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from kb_tools.errors import KbError

if TYPE_CHECKING:
    from rdflib import URIRef

# Relative IRIs of a query stand under this.
BASE = "https://w3id.org/policykb/"
# A query is written by hand; a longer text, in characters, is none.
MAX_LENGTH = 200_000


class QueryError(KbError):
    """A query that is refused, is not SPARQL, or took too long."""


class NothingNamed(QueryError):
    """What a ready question is asked of is not named by one thing that the query reads."""


@dataclass(frozen=True)
class Checked:
    """A query that may run.

    Attributes:
        text: as both parsers read it alike: with code points for escapes, and without comments.
        form: "SELECT", "ASK", "CONSTRUCT" or "DESCRIBE".
        iris: those that it names as terms, in code point order; None where that was not looked for.
        graphs, named: the graphs of its FROM and its FROM NAMED clauses; None for both if it has none.
    """

    text: str
    form: str
    iris: list[str] | None
    graphs: list[str] | None
    named: list[str] | None


def check(
    text: str, prefixes: Mapping[str, str] | None = None, clashing: Mapping[str, Sequence[str]] | None = None
) -> Checked:
    """Refuses what may not run, by the parsed query.

    Args:
        prefixes: those that the query need not declare; None if they are not known yet.
        clashing: prefixes that several policies declare differently, each with their identifiers.

    Raises:
        QueryError: an update, a query with SERVICE, one too long or too deeply nested, or no SPARQL.
    """
    from pyparsing import ParseException
    from rdflib.plugins.sparql.parser import parseQuery

    from kb_tools.rdf.terms import without_remarks

    if len(text) > MAX_LENGTH:
        raise QueryError(f"a query of {len(text)} characters", hint=f"keep it under {MAX_LENGTH}")
    text = _plain(text)
    try:
        with without_remarks():
            prologue, query = parseQuery(text)
    except RecursionError:
        # rdflib's parser does not come to an end with one SERVICE in another.
        deep = QueryError("the query is nested too deeply", hint="flatten it")
        raise (_service() if "service" in text.lower() else deep) from None
    except ParseException as error:
        if _is_update(text):
            raise QueryError(
                "updates are refused: the knowledge base is only read", hint="write SELECT, ASK, CONSTRUCT or DESCRIBE"
            ) from None
        raise _not_sparql(text, error.loc) from None
    except Exception as error:  # what else the parser's own actions stumble over
        what, unquoted = f"not a SPARQL query: {error}", "not a SPARQL query"
        raise QueryError(what, hint="correct the syntax", unquoted=unquoted) from None
    parts = list(_parts(query))
    if any(part.name == "ServiceGraphPattern" for part in parts):
        raise _service()
    base, table = _declared(prologue, prefixes or {})
    for part in parts:
        if part.name == "pname" and (part.prefix or "") not in table and prefixes is not None:
            place = re.search(rf"(?<![\w.:-]){re.escape(part.prefix or '')}:", text)
            line = _line(text, place.start() if place else 0)
            if owners := (clashing or {}).get(part.prefix or ""):
                what = f"{line}: prefix {part.prefix}: is declared differently by {' and '.join(owners)}"
                hint = "ask one of them with --policy, or declare it with PREFIX"
                raise QueryError(what, hint=hint, unquoted=f"{line}: a prefix is declared differently by policies")
            what = f"{line}: prefix {part.prefix or ''}: is not declared"
            raise QueryError(what, hint="declare it with PREFIX", unquoted=f"{line}: a prefix is not declared")
    iris = {_resolved(term, base, table) for part in parts for term in _terms(part)}
    clauses = query.datasetClause
    graphs, named = (
        [_resolved(clause[kind], base, table) for clause in clauses if kind in clause] if clauses else None
        for kind in ("default", "named")
    )
    return Checked(text, query.name.removesuffix("Query").upper(), sorted(iris), graphs, named)


_FORM = re.compile(r"^(SELECT|ASK|CONSTRUCT|DESCRIBE)\b", re.MULTILINE)


def trusted(text: str) -> Checked:
    """A query of the library, which may run as it is: to check it would take longer than to run it.

    Its parameters are bound to terms, which end neither the clause nor the text that they stand in, see `bind`.
    """
    form = _FORM.search(text)
    assert form, "a ready question has its form at the beginning of a line"
    return Checked(text, form[1], None, None, None)


def _service() -> QueryError:
    return QueryError("SERVICE asks another server, and no query may", hint="load the data and use --data")


def _declared(prologue: Any, prefixes: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The base and the prefixes of a query, those that it need not declare included."""
    base, table = BASE, dict(prefixes)
    for declared in prologue:
        iri = _resolved(declared.iri, base, table)
        if declared.name == "Base":
            base = iri
        else:
            table[declared.prefix or ""] = iri
    return base, table


def _terms(part: Any) -> Iterator[Any]:
    """The IRIs that stand in a part of a parsed query itself, as terms: not datatypes, functions and graphs of FROM."""
    from rdflib import URIRef

    if part.name == "DatasetClause":
        return
    waiting = [value for key, value in part.items() if key not in ("datatype", "iri")]
    while waiting:
        term = waiting.pop()
        if isinstance(term, URIRef) or getattr(term, "name", "") == "pname":
            yield term
        elif isinstance(term, list | tuple) or type(term).__name__ == "ParseResults":
            waiting.extend(term)


def _resolved(term: Any, base: str, table: Mapping[str, str]) -> str:
    """The IRI that a term of the parsed query stands for."""
    if isinstance(term, str):
        return absolute(str(term), base)
    return table.get(term.prefix or "", "") + (term.localname or "").replace("\\", "")


def absolute(iri: str, base: str = BASE) -> str:
    """The IRI, resolved against the base if it is relative."""
    # Joined, an IRI loses a "#" at its end.
    return iri if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", iri) else urljoin(base, iri)


# A prefixed name or an IRI in the text of a query, where neither a string nor an IRI is cut in two.
_NAME = re.compile(r"(?<![\w<?$:\"'])([a-z][\w-]*):([A-Za-z][\w-]*)|<([^<>\s]+)>")


def names_in(text: str, prefixes: Mapping[str, str]) -> Iterator[URIRef]:
    """The terms that the text of a rule names, by prefix or as IRIs; none if the text is no query.

    Those in its comments too: a term too many does no harm to who asks for them.
    """
    from rdflib import URIRef

    if re.search(r"\b(CONSTRUCT|SELECT|ASK)\b", text):
        for prefix, local, iri in _NAME.findall(text):
            if iri or prefix in prefixes:
                yield URIRef(iri or prefixes[prefix] + local)


# ---------------------------------------------------------------------- one text for two parsers

_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")
_HALF_ESCAPE = re.compile(r"\\u[0-9a-f]{4}", re.IGNORECASE)
# The other quotation mark.
_OTHER = {'"': "'", "'": '"'}
# Words of SPARQL in which what looks like another is none (strings, IRIs, labels of blank nodes), and those that the
# two parsers read differently: comments, and the local part of names. To be completed with rdflib's pattern of that.
_WORDS = r"""
    "{3} (?: "{0,2} (?: [^"\\] | \\. ) )*+ "{3} | " (?: [^"\\\n] | \\. )*+ "
    | '{3} (?: '{0,2} (?: [^'\\] | \\. ) )*+ '{3} | ' (?: [^'\\\n] | \\. )*+ '
    | < [^<>"{}|^`\\\x00-\x20]*+ > | _: [\w.-]*+ | \\.
    | (?P<comment> \# [^\n]* )
    | (?: [^\W\d_] [\w.-]* )? : (?P<local> %s )
"""


def _plain(text: str) -> str:
    """The text as both parsers read it alike, line for line the same: rdflib's, which checks it, and Oxigraph's.

    SPARQL has code point escapes replaced before anything else (19.2): rdflib does so, Oxigraph does in strings and
    IRIs alone. A comment ends at a carriage return for Oxigraph, and not for rdflib, which also skips one in the middle
    of a name. Oxigraph ends a name before its second dot, so dots in names are escaped. And rdflib knows no escape of a
    quotation mark that is not that of the string.
    """
    from rdflib.plugins.sparql.parser import PN_LOCAL

    try:
        text = _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), text)
        text.encode()
    except (ValueError, OverflowError):
        raise QueryError("not a SPARQL query: an escape stands for no character", hint="correct it") from None
    text = re.sub(r"\r\n?", "\n", text)
    if left := _HALF_ESCAPE.search(text):
        raise _not_sparql(text, left.start(), "write \\u with four digits, or \\U with eight")

    def alike(found: re.Match[str]) -> str:
        word: str = found[0]
        if found["comment"] is not None:
            return ""
        if word[0] in _OTHER:
            return re.sub(
                r"\\(.)", lambda escape: escape[1] if escape[1] == _OTHER[word[0]] else escape[0], word, flags=re.DOTALL
            )
        if found["local"] is not None:
            dotted = re.sub(r"\\.|\.", lambda escape: r"\." if escape[0] == "." else escape[0], found["local"])
            return word.removesuffix(found["local"]) + dotted
        return word

    return re.sub(_WORDS % PN_LOCAL.pattern, alike, text, flags=re.DOTALL | re.VERBOSE)


# ---------------------------------------------------------------------- parts and errors


def _not_sparql(text: str, position: int, hint: str = "correct the syntax") -> QueryError:
    near = " ".join(text[position:].partition("\n")[0].split())[:60]
    what = f"near {near!a}" if near else "it ends too early"
    column = position - text.rfind("\n", 0, position)
    unquoted = f"{_line(text, position)}: not a SPARQL query, {f'at column {column}' if near else what}"
    return QueryError(f"{_line(text, position)}: not a SPARQL query, {what}", hint=hint, unquoted=unquoted)


def _line(text: str, position: int) -> str:
    return f"line {text.count(chr(10), 0, position) + 1}"


def _is_update(text: str) -> bool:
    from rdflib.plugins.sparql.parser import parseUpdate

    with suppress(Exception):
        return "request" in parseUpdate(text)
    return False


def _parts(parsed: Any) -> Iterator[Any]:
    """All named parts of a parsed query, without recursion."""
    from pyparsing import ParseResults
    from rdflib.plugins.sparql.parserutils import CompValue, ParamValue

    waiting = [parsed]
    while waiting:
        part = waiting.pop()
        if isinstance(part, CompValue):
            yield part
            waiting.extend(part.values())
        elif isinstance(part, ParamValue):
            waiting.append(part.tokenList)
        elif isinstance(part, list | tuple | ParseResults):
            waiting.extend(part)
