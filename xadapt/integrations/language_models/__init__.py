"""Language models: one protocol, its backends, a cache of replies on disk, and a client.

A language model is named by text:

``openai:MODEL@URL``
    A model behind an endpoint that speaks OpenAI's API of chat completions: OpenAI itself (no
    URL), vLLM, llama.cpp, Ollama, and most providers.
``local:FOLDER``
    A causal model of transformers, a folder or a Hub id.
``file:REPLIES.jsonl``
    Replies that exist. Questions without a reply are written to a file in the form of OpenAI's
    batch API.
"""
