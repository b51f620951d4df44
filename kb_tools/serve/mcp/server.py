"""The server: which requests of the protocol are answered by what.

It is made of the SDK's lower layer, and not of its decorators: these check arguments themselves, and quote them in what
they answer and log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.shared.exceptions import MCPError

from kb_tools import __version__, printable
from kb_tools.errors import KbError, KnowledgeBaseError, did_you_mean
from kb_tools.serve.mcp import resources, told, words
from kb_tools.serve.mcp.office import Office
from kb_tools.serve.mcp.tools import TOOLS, Refused

_Context = ServerRequestContext[Any]
# Nothing is changed, whatever is asked, and nothing but the knowledge base is asked.
_ONLY_READS = types.ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)


def server(office: Office) -> Server[Any]:
    """The server of a knowledge base, for any transport."""
    handlers = _Handlers(office)
    found: Server[Any] = Server(
        words.NAME,
        version=__version__,
        title=words.TITLE,
        instructions=words.INSTRUCTIONS,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_templates,
        on_read_resource=handlers.read_resource,
        on_list_prompts=handlers.list_prompts,
        on_get_prompt=handlers.get_prompt,
    )
    # What the SDK adds would hand the names and errors of calls on to whoever collects traces.
    found.middleware.clear()
    return found


class _Handlers:
    def __init__(self, office: Office) -> None:
        self.office = office

    # ------------------------------------------------------------------ tools

    async def list_tools(self, context: _Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=tool.name,
                    title=tool.title,
                    description=tool.description,
                    input_schema=tool.arguments.schema,
                    output_schema=tool.output,
                    annotations=_ONLY_READS,
                )
                for tool in TOOLS.values()
            ]
        )

    async def call_tool(self, context: _Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = TOOLS.get(params.name)
        if tool is None:
            raise _invalid("there is no such tool", did_you_mean(params.name, TOOLS) or f"known: {', '.join(TOOLS)}")
        try:
            found = await tool.run(self.office, tool.arguments.read(params.arguments or {}))
        except Refused as refused:
            return _error(refused.text)
        except KbError as error:
            return _error(told.of_error(error))
        except Exception as error:
            # Its text may quote the call.
            return _error(_unforeseen(error))
        return types.CallToolResult(content=[_text(_dump(found))], structured_content=found)

    # ------------------------------------------------------------------ resources

    async def list_resources(
        self, context: _Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        found = await self.office.read(lambda: list(resources.listed(self.office)))
        return types.ListResourcesResult(
            resources=[types.Resource(uri=one.uri, name=one.name, title=one.title, mime_type=one.type) for one in found]
        )

    async def list_templates(
        self, context: _Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(
            resource_templates=[
                types.ResourceTemplate(uri_template=one.uri, name=one.name, title=one.title, mime_type=one.type)
                for one in resources.templates()
            ]
        )

    async def read_resource(
        self, context: _Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        try:
            content, type_ = await self.office.read(resources.read, self.office, str(params.uri))
        except Exception as error:
            _protocol_error(error)
        return types.ReadResourceResult(
            contents=[types.TextResourceContents(uri=params.uri, mime_type=type_, text=content)]
        )

    # ------------------------------------------------------------------ the prompt

    async def list_prompts(
        self, context: _Context, params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        named = {
            "policy": "The identifier of a policy, as CP.MP.101; needed only where several are on file.",
            "revision": "The name of a revision, as 2026-02; default: the one in force on the date of service.",
        }
        taken = [
            types.PromptArgument(name=name, description=meaning, required=False) for name, meaning in named.items()
        ]
        prompt = types.Prompt(
            name=words.PROMPT, title=words.PROMPT_TITLE, description=words.PROMPT_TEXT, arguments=taken
        )
        return types.ListPromptsResult(prompts=[prompt])

    async def get_prompt(self, context: _Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        try:
            text = await self.office.read(self._prompt, params.name, params.arguments or {})
        except Exception as error:
            _protocol_error(error)
        return types.GetPromptResult(
            description=words.PROMPT_TEXT, messages=[types.PromptMessage(role="user", content=_text(text))]
        )

    def _prompt(self, name: str, given: Mapping[str, str]) -> str:
        if name != words.PROMPT:
            raise KbError("there is no such prompt", hint=f"known: {words.PROMPT}")
        if not given.keys() <= {"policy", "revision"}:
            raise KbError("an argument that this prompt does not have", hint="it has: policy, revision")
        revision = given.get("revision", "")
        policy = self.office.policy(given.get("policy") or None, revision)
        chosen = policy.require_criteria(policy.entry(revision)).name if revision else ""
        return words.walk(policy.identifier, chosen)


# ---------------------------------------------------------------------- answers


def _text(text: str) -> types.TextContent:
    return types.TextContent(type="text", text=text)


def _dump(content: Any) -> str:
    return printable.escaped(json.dumps(content, ensure_ascii=False))


def _error(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[_text(text)], is_error=True)


def _unforeseen(error: Exception) -> str:
    """What is told of an error that nobody foresaw: its type alone."""
    return f"unexpected {type(error).__name__}; kb check says whether the knowledge base is sound"


def _invalid(what: str, hint: str) -> MCPError:
    return MCPError(code=types.INVALID_PARAMS, message=f"{what}; {hint}")


def _protocol_error(error: Exception) -> NoReturn:
    """Raise what goes wrong with a resource or a prompt as the protocol has it, without what was given.

    Raises:
        MCPError: always.
    """
    if isinstance(error, KbError) and not isinstance(error, KnowledgeBaseError):
        raise MCPError(code=types.INVALID_PARAMS, message=told.of_error(error)) from None
    text = told.of_error(error) if isinstance(error, KbError) else _unforeseen(error)
    raise MCPError(code=types.INTERNAL_ERROR, message=text) from None
