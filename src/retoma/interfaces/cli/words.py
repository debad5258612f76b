"""The sentences of `run` in the language of the flow, or else of LANG: English or Portuguese."""

from __future__ import annotations

__all__ = ["Words"]

_PORTUGUESE = {
    ">>> Session '{session}' active.": ">>> Sessão '{session}' ativa.",
    ">>> Session '{session}' ended before, at '{node}' node. Restart it with --fresh.": (
        ">>> A sessão '{session}' já terminou, no nó '{node}'. Comece de novo com --fresh."
    ),
    ">>> Session '{session}' failed before, at '{node}' node. Restart it with --fresh.": (
        ">>> A sessão '{session}' já falhou, no nó '{node}'. Comece de novo com --fresh."
    ),
    ">>> Session '{session}' ended before, with no flow in it. Restart it with --fresh.": (
        ">>> A sessão '{session}' já terminou, sem fluxo. Comece de novo com --fresh."
    ),
    ">>> Session '{session}' failed before, with no flow in it. Restart it with --fresh.": (
        ">>> A sessão '{session}' já falhou, sem fluxo. Comece de novo com --fresh."
    ),
    ">>> Session '{session}' failed before, and was rolled back. Restart it with --fresh.": (
        ">>> A sessão '{session}' já falhou e foi desfeita. Comece de novo com --fresh."
    ),
    ">>> Resuming at '{node}' node...": ">>> Retomando no nó '{node}'...",
    ">>> Signal '{name}' at '{node}' node: going to '{to}'.": ">>> Sinal '{name}' no nó '{node}': indo para '{to}'.",
    ">>> Warnings in this flow: {count}. Show them: retoma flow validate {flow}": (
        ">>> Avisos neste fluxo: {count}. Veja: retoma flow validate {flow}"
    ),
    ">>> Finished at '{node}' node.": ">>> Concluído no nó '{node}'.",
    ">>> Failed at '{node}' node: {cause}": ">>> Falhou no nó '{node}': {cause}",
    ">>> Interrupted at '{node}' node. Resume with the same command{named}.": (
        ">>> Interrompido no nó '{node}'. Continue com o mesmo comando{named}."
    ),
    ">>> Stopped at '{node}' node.": ">>> Parado no nó '{node}'.",
    ">>> Stopped at '{node}' node: the input ended. Resume with the same command{named}.": (
        ">>> Parado no nó '{node}': a entrada acabou. Continue com o mesmo comando{named}."
    ),
    ">>> Stopped at '{node}' node: the secret '{key}' is needed again. Resume with the same command{named}, "
    "on a terminal.": (
        ">>> Parado no nó '{node}': o segredo '{key}' é preciso de novo. Continue com o mesmo comando{named}, "
        "em um terminal."
    ),
    "The secret '{key}' is asked for again, because secrets are not saved.": (
        "O segredo '{key}' é pedido de novo: não fica guardado em lugar nenhum."
    ),
    ">>> Undo '{node}': tool '{name}' {args}": ">>> Desfazer '{node}': ferramenta '{name}' {args}",
    ">>> Tool '{name}' {args}": ">>> Ferramenta '{name}' {args}",
    "Allow execution?": "Permitir a execução?",
    ">>> Tool '{name}' was refused: {why}": ">>> A ferramenta '{name}' foi recusada: {why}",
    ">>> Tool '{name}' failed: {why}": ">>> A ferramenta '{name}' falhou: {why}",
    ">>> Failed: {cause}": ">>> Falhou: {cause}",
    ">>> Stopped at '{node}' node: the tool '{name}' was not called yet. Resume with the same command{named}.": (
        ">>> Parado no nó '{node}': a ferramenta '{name}' ainda não foi chamada. Continue com o mesmo comando{named}."
    ),
    "[y/N]": "[s/N]",
    "yes": "sim",
    "no": "não",
    "Please answer yes or no.": "Responda sim ou não (s/n).",
    "Please type a whole number.": "Digite um número inteiro.",
    "Please type a number.": "Digite um número.",
    "That answer does not match any choice here. Please try again.": (
        "Essa resposta não corresponde a nenhuma opção. Tente de novo."
    ),
    "Please choose one of these:": "Escolha uma destas opções:",
    " and --session {session}": " e --session {session}",
}


class Words:
    """Sentences in the language of `lang` (in the format of LANG); English if there is no translation."""

    def __init__(self, lang: str) -> None:
        self._known = _PORTUGUESE if lang.lower().startswith("pt") else {}

    def notice(self, text: str) -> str:
        """Return a notice of a flow, translated if it is known. The flow's own words in it stay."""
        lead, colon, rest = text.partition(":")
        return self._known.get(text) or self._known.get(lead + colon, lead + colon) + rest

    def __call__(self, text: str, **facts: object) -> str:
        """Return `text`, an English sentence with `{places}`, translated and completed with the facts."""
        return self._known.get(text, text).format(**facts)
