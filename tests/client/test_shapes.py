"""Messages in the shapes of OpenAI and Anthropic: taken in, kept, and given out as they were."""

from __future__ import annotations

import pytest

import retoma
from retoma.shapes import anthropic, openai

PIXEL = "data:image/png;base64,iVBORw0KGgo="
CALL = {"id": "c1", "type": "function", "function": {"name": "count", "arguments": '{"month":3}'}}
CHAT = [
    {"role": "developer", "content": "Be brief."},
    {"role": "system", "content": "Be kind.", "name": "host"},
    {"role": "user", "content": "Hello", "name": "ana"},
    {"role": "user", "content": [{"type": "text", "text": "one"}]},
    {"role": "user", "content": [{"type": "text", "text": "one", "cache": True}], "extra": 1},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "Look"},
            {"type": "image_url", "image_url": {"url": PIXEL}},
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        ],
    },
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "assistant", "content": "I count.", "tool_calls": [CALL], "refusal": None},
    {"role": "assistant", "tool_calls": [CALL | {"function": {"name": "n", "arguments": '{ "a": 1 }'}}]},
    {"role": "assistant", "tool_calls": [CALL | {"function": {"name": "n", "arguments": '{"a":'}}]},
    {"role": "assistant", "content": "", "reasoning_content": "By date."},
    {"role": "assistant", "content": None, "refusal": "No."},
    {"role": "tool", "tool_call_id": "c1", "content": "412"},
    {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "412"}]},
    {"role": "function", "name": "count", "content": "412"},
]
USE = {"type": "tool_use", "id": "t1", "name": "count", "input": {"month": 3}}
BLOCKS = [
    {"role": "user", "content": "Hello"},
    {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
    {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
    {
        "role": "user",
        "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
            {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}, "title": "T"},
        ],
    },
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "By date.", "signature": "abc="},
            {"type": "redacted_thinking", "data": "xyz="},
            {"type": "text", "text": "I count."},
            USE,
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "412"},
            {"type": "tool_result", "tool_use_id": "t2", "content": "no such month", "is_error": True},
            {"type": "tool_result", "tool_use_id": "t3"},
            {"type": "tool_result", "tool_use_id": "t4", "content": [{"type": "text", "text": "412"}]},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "4"},
            {"type": "text", "text": "x"},
        ],
    },
    {"role": "assistant", "content": [{"type": "server_tool_use", "id": "s", "name": "web", "input": {}}]},
]  # fmt: skip


@pytest.mark.parametrize("message", CHAT, ids=str)
def test_a_message_of_openai_comes_back_as_it_was(session, message):
    session.append_many(openai.load([message]))
    assert openai.dump(session.messages(tools=True), reasoning=True) == [message]


@pytest.mark.parametrize("message", BLOCKS, ids=str)
def test_a_message_of_anthropic_comes_back_as_it_was(session, message):
    session.append_many(anthropic.load([message], system="Be brief."))
    assert anthropic.dump(session.messages(tools=True)) == {"messages": [message], "system": "Be brief."}


def test_a_conversation_of_one_is_given_out_for_the_other(session):
    session.append_many(openai.load([CHAT[0], CHAT[2], CHAT[5], CHAT[7], CHAT[12], CHAT[13]]))
    out = anthropic.dump(session.messages(tools=True))
    assert out["system"] == "Be brief."
    said, looked, called, came = out["messages"]
    assert said == {"role": "user", "content": "Hello"}
    assert looked["content"][1]["source"]["media_type"] == "image/png"
    assert called["content"] == [{"type": "text", "text": "I count."}, USE | {"id": "c1"}]
    assert [one["tool_use_id"] for one in came["content"]] == ["c1", "c2"]
    assert came["role"] == "user"


def test_reasoning_and_results_of_anthropic_are_given_out_for_openai(session):
    session.append_many(anthropic.load([BLOCKS[4], BLOCKS[6]]))
    called, result, said = openai.dump(session.messages(tools=True))
    assert called["content"] == "I count."
    assert "reasoning_content" not in called
    assert called["tool_calls"][0]["function"] == {"name": "count", "arguments": '{"month":3}'}
    assert result == {"role": "tool", "tool_call_id": "t1", "content": "4"}
    assert (
        said["role"],
        said["content"][0]["text"] if isinstance(said["content"], list) else said["content"],
    ) == ("user", "x")


def test_the_usage_of_a_response_is_the_message_s(session):
    usage = {"input_tokens": 20, "cache_read_input_tokens": 100, "output_tokens": 7}
    response = {"id": "m", "role": "assistant", "content": [{"type": "text", "text": "Hi"}], "usage": usage}
    session.append_many(anthropic.load([response]))
    assert (session.usage.tokens_in, session.usage.tokens_out) == (120, 7)


def test_items_of_the_responses_interface_are_taken_in(session):
    items = [
        {"type": "function_call", "call_id": "c", "name": "count", "arguments": '{"month":3}'},
        {"type": "function_call_output", "call_id": "c", "output": "412"},
        {"role": "user", "content": [{"type": "input_text", "text": "Hello"}], "type": "message"},
    ]
    session.append_many(openai.load(items))
    assert [message.role for message in session.messages(tools=True)] == ["assistant", "tool", "user"]
    assert session.messages()[0].text == "Hello"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"role": "user", "content": "x", "tool_calls": []}, "no key 'tool_calls'"),
        ({"role": "user"}, "needs the key 'content'"),
        ({"role": "developer", "content": "x"}, "'developer' is not a role"),
        ({"role": "user", "content": [{"type": "input_text", "text": "x"}]}, "'type' of part 1 is 'input_text'"),
        ({"role": "user", "content": "x", "tokens_in": -1}, "tokens_in is a number"),
        ({"role": "user", "content": "x", "metadata": {"a": {1}}}, "'a' is not JSON: it holds a set"),
    ],
)  # fmt: skip
def test_an_error_names_the_key_that_is_wrong(session, message, said):
    with pytest.raises(retoma.Invalid, match=said):
        session.append_many([message])
    for load in (openai.load, anthropic.load):
        with pytest.raises(retoma.Invalid, match="Message 2 is not JSON"):
            load([{"role": "user", "content": "x"}, {"role": 5, "content": float("nan")}])
    assert session.head == 1
