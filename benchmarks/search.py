"""Row 6: full text over very many messages: how long common and rare words take, and whether the wanted come first."""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial

import retoma
from benchmarks.harness import Figure, Run, Watch, emptied
from benchmarks.stores import WHO, opened, operation, place_in
from retoma.config import StorePlace
from retoma.model import event as kinds
from retoma.model.codec import encode
from retoma.model.event import new_event
from retoma.model.session import NewSession
from retoma.model.times import DAY
from retoma.service import access, sessions
from retoma.service.forget import erasing
from retoma.service.search.indexing import step
from retoma.stores.contract.store import Store, Transaction
from retoma.wiring import Sources, open_store, pooled

ROW = 6
_PER_SESSION = 100
_FORGOTTEN = 15
_BEGAN = 1_700_000_000_000
_YEARS = 2
_SEED = 6

# The words that texts have most, in two languages; behind them come made-up ones, rarer and rarer.
_COMMON = """
the of and to a in is it you that he was for on are with as his they be at one have this from or had by not
but what all were when we there can an your which their said if do will each about how up out them then she
many some so these would other into has more her two like him see time could no make than first been its who
now people my made over did down only way find use may water long little very after words called just where
most know de que e o da em um para com uma os no se na por mais as dos como mas ao ele das tem seu sua ou
quando muito nos connection pool session message error server file user test build deploy disk full table
index query request retry timeout sessao servidor arquivo erro mensagem banco dados tempo hoje ontem conexao
"""

LABELLED: tuple[tuple[str, str], ...] = (
    (
        "connection pool exhausted",
        "The nightly import stopped since the connection pool exhausted itself again.",
    ),
    (
        "sessao encerrada pelo servidor",
        "Às três da manhã a sessão encerrada pelo servidor ainda aparecia na lista.",
    ),
    (
        "sessão expirada",
        "Depois disso a sessao expirada nao volta mais, e o usuario tem que entrar outra vez.",
    ),
    ("coração da máquina", "O coração da máquina é uma fila; sem ela nada anda."),
    ("全文検索", "昨日の会議で全文検索の仕組みについて話しました。"),
    ("東京 会議室", "次の打ち合わせは東京の本社、三階の会議室で行います。"),
    ("형태소 분석", "한국어 형태소 분석기를 바꾸면 결과가 달라집니다."),
    (
        '"point of no return"',
        "Once the switch is made we are past the point of no return, and can only go on.",
    ),
    ('"not now but soon"', "He asked when, and all she said was not now but soon, as they always do."),
    ("idempot*", "Every write carries an idempotency key, so a repeated one does no harm."),
    ("getUserName", "It is getUserName that returns null there, long before the query is made."),
    ("user_id mismatch", "Found it: a user_id mismatch between the two tables, since the deploy of Monday."),
    (
        "src/payments/refund.py",
        "The rounding is done twice, see src/payments/refund.py and the test beside it.",
    ),
    ("0x80070057", "Windows says 0x80070057 and nothing else, which may be about the path."),
    ("v2.13.7", "This is fixed in v2.13.7; until then turn the cache off."),
    ("naive bayes", "For so few words a naïve Bayes filter does as well as anything."),
    ("disk full -tmp", "The disk full message came from the log server, not from ours."),
    ("Königstraße 12", "Please send it to Koenigstrasse, I mean Königstraße 12, in the old town."),
    ("invoice 48213", "Could you look at invoice 48213? The customer says it was paid in May."),
    ("harvest roadmap", ""),
)
"""What is asked, and the one message that is wanted; without a message, the title of its session."""

_TITLE = "Harvest roadmap for the north"


def measure(run: Run) -> list[Figure]:
    """Measure single searches in process, on the disk, with everything indexed; and what indexing took."""
    place = place_in(emptied(run.disk / "searched"))
    count = run.scale.searched
    wanted = fill(place, count)
    before = _size(place)
    with Watch() as watch, closing(open_store(place)) as store:
        index(store)
    words = _words(count)
    with opened(place) as client:
        times = [_times(client, words) for _ in range(run.rounds)]
        found = sum(found_first(client, wanted))
    with closing(open_store(place)) as store:
        forgetting = [_forget(store, count, number) for number in range(_FORGOTTEN)]
    kinds_of = {kind: [[took for of, took in one if of == kind] for one in times] for kind in words}
    what = f"search {count:,} messages"
    return [
        Figure(
            ROW,
            f"{what}, p95",
            "ms",
            [_percentile(95, [took for _, took in one]) for one in times],
            target=50,
        ),
        Figure(ROW, f"{what}, p50", "ms", [_percentile(50, [took for _, took in one]) for one in times]),
        *(
            Figure(ROW, f"{what}, {kind}, p95", "ms", [_percentile(95, one) for one in some])
            for kind, some in kinds_of.items()
        ),
        Figure(
            ROW, f"the wanted one in the first 3, of {len(LABELLED)}", "", [found], target=20, at_least=True
        ),
        Figure(ROW, "indexing, CPU, a message", "µs", [1e6 * watch.cpu_s / count], target=50),
        Figure(ROW, "forgetting one message in the index", "ms", [statistics.median(forgetting)], target=20),
        Figure(ROW, "the index, a message", "bytes", [(_size(place) - before) / count]),
    ]


def _forget(store: Store, count: int, number: int) -> float:
    """Erase one message, and return how many milliseconds it took until no term of it was in the index."""
    session = f"s{number * (count // _PER_SESSION) // _FORGOTTEN}"
    selection = erasing.Selection(first=20, last=20)
    store.write(partial(erasing.redact, who=WHO, session=session, selection=selection, operation=operation()))
    began = time.perf_counter()
    while store.write(erasing.clean_index):
        pass
    return 1e3 * (time.perf_counter() - began)


def fill(place: StorePlace, count: int) -> dict[str, tuple[str, int]]:
    """Make `count` messages in sessions of a hundred, over two years; return where those are that are wanted."""
    maker = _Maker(count)
    sources = Sources(lambda: maker.now, pooled(random.Random(_SEED).randbytes))
    with closing(open_store(place, sources)) as store:
        for number in range(maker.sessions):
            store.write(partial(maker.make, number=number))
    return maker.wanted


def index(store: Store) -> None:
    """Index all there is."""
    while step(store, WHO, everything=True):
        pass


def found_first(client: retoma.Client, wanted: dict[str, tuple[str, int]]) -> list[bool]:
    """Return of each labelled query whether what is wanted is in the first three."""
    return [
        wanted[text] in [(hit.session, hit.seq or 0) for hit in client.search(text, limit=3)]
        for text, _ in LABELLED
    ]


class _Maker:
    """Makes sessions of messages, and among them the wanted ones with others that have the same words."""

    def __init__(self, count: int) -> None:
        self._chance = random.Random(_SEED)
        self.sessions = max(2, count // _PER_SESSION)
        self.now = _BEGAN
        self.wanted: dict[str, tuple[str, int]] = {}
        self._vocabulary = vocabulary()
        self._weights = [*itertools.accumulate(1 / (rank + 3) for rank in range(len(self._vocabulary)))]
        last = self.sessions - 1
        self._planted = {self._chance.randrange(last): label for label in LABELLED} if last > 200 else {}
        for label in LABELLED:
            if label not in self._planted.values():
                self._planted[self._free(last)] = label

    def make(self, tx: Transaction, *, number: int) -> None:
        """Make one session."""
        self.now = _BEGAN + number * (_YEARS * 365 * DAY // self.sessions)
        label = self._planted.get(number)
        title = _TITLE if label is not None and not label[1] else " ".join(self._some(4))
        name = sessions.create(tx, WHO, NewSession(id=f"s{number}", title=title), operation=operation())
        texts = [" ".join(self._some(self._chance.randrange(8, 70))) for _ in range(_PER_SESSION)]
        texts[:3] = [self._like(*self._chance.choice(LABELLED)) for _ in range(3)]
        if label is not None and label[1]:
            texts[50] = label[1]
        head = access.head_of(tx, WHO, name)
        for turn, text in enumerate(texts):
            self.now += 1_000
            said = encode({"role": ("user", "assistant")[turn % 2], "content": text})
            head = access.append(tx, WHO, head, [new_event(kinds.MESSAGE, said)], operation())
        if label is not None:
            self.wanted[label[0]] = (name, 52 if label[1] else 0)

    def _some(self, count: int) -> list[str]:
        return self._chance.choices(self._vocabulary, cum_weights=self._weights, k=count)

    def _like(self, query: str, text: str) -> str:
        """Return a text with most of the wanted one's words, in no order: what a search must not take for it."""
        words = [word for word in (text or query).split() if self._chance.random() < 0.8]
        words = [word for word in words if word.isalpha() and word.isascii()] + self._some(30)
        self._chance.shuffle(words)
        return " ".join(words)

    def _free(self, last: int) -> int:
        return next(
            number for number in itertools.count(self._chance.randrange(last)) if number not in self._planted
        )


def vocabulary() -> list[str]:
    """Return 30,000 words, the commonest first."""
    chance = random.Random(_SEED)
    syllables = ["".join(pair) for pair in itertools.product("bcdfglmnprstv", "aeiou")]
    made = {
        "".join(chance.choices(syllables, k=chance.randrange(2, 5))) + chance.choice(("", "s", "n", "r"))
        for _ in range(32_000)
    }
    return [*dict.fromkeys((*_COMMON.split(), *sorted(made, key=lambda word: chance.random())))][:30_000]


def _words(count: int) -> dict[str, list[str]]:
    """Return queries of each kind, by how common their words are."""
    chance = random.Random(_SEED + count)
    words = vocabulary()
    pick = partial(_drawn, chance)
    return {
        "common words": pick(words[:60], 40),
        "words in between": pick(words[200:3_000], 40),
        "rare words": pick(words[20_000:], 40),
        "two common words": [" ".join(pick(words[:80], 2)) for _ in range(20)],
        "three words": [" ".join((*pick(words[:80], 2), *pick(words[200:900], 1))) for _ in range(20)],
        "phrases": [f'"{" ".join(pick(words[:40], 2))}"' for _ in range(10)],
        "beginnings": [f"{word[:4]}*" for word in pick(words[200:3_000], 10)],
    }


def _drawn(chance: random.Random, words: Sequence[str], count: int) -> list[str]:
    return chance.sample(list(words), count)


def _times(client: retoma.Client, words: dict[str, list[str]]) -> list[tuple[str, float]]:
    """Return what each search took, in ms."""
    times: list[tuple[str, float]] = []
    for kind, queries in words.items():
        for query in queries:
            began = time.perf_counter()
            client.search(query)
            times.append((kind, 1e3 * (time.perf_counter() - began)))
    return times


def _percentile(percent: int, values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def _size(place: StorePlace) -> int:
    assert place.path is not None
    files = [place.path, place.path.with_name(place.path.name + "-wal")]
    return sum(file.stat().st_size for file in files if file.exists())
