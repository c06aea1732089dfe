"""Whole replies of many kinds, made from fixed seeds: what the seam engine is judged by."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from attrs import frozen


@frozen
class Sample:
    """One whole reply; `repeats` where it says the same thing more than once in a row on purpose."""

    kind: str
    text: str
    repeats: bool = False


NOUNS = [
    "lantern",
    "harbour",
    "orchard",
    "ledger",
    "compass",
    "bridge",
    "kettle",
    "archive",
    "meadow",
    "signal",
    "furnace",
    "violin",
    "parcel",
    "glacier",
    "workshop",
    "teacher",
    "captain",
    "gardener",
    "printer",
    "neighbour",
    "market",
    "tunnel",
    "station",
    "letter",
    "engine",
    "mirror",
    "shoulder",
    "window",
    "quarry",
    "barrel",
    "curtain",
    "pepper",
    "saddle",
    "temple",
    "needle",
    "blanket",
    "carpenter",
    "daughter",
    "evening",
    "factory",
    "granary",
    "horizon",
    "island",
    "journey",
]
VERBS = [
    "carried",
    "repaired",
    "followed",
    "measured",
    "forgot",
    "painted",
    "answered",
    "counted",
    "gathered",
    "opened",
    "crossed",
    "delivered",
    "ignored",
    "polished",
    "watched",
    "borrowed",
    "described",
    "sheltered",
    "traded",
    "weighed",
    "balanced",
    "surprised",
    "reminded",
    "collected",
]
ADJECTIVES = [
    "quiet",
    "narrow",
    "golden",
    "stubborn",
    "distant",
    "careful",
    "broken",
    "honest",
    "sudden",
    "early",
    "crooked",
    "patient",
    "silver",
    "hollow",
    "restless",
    "gentle",
    "bitter",
    "ancient",
    "curious",
    "heavy",
    "wooden",
    "faithful",
]
LINKS = ("because", "although", "while", "until", "so that", "whenever", "before")


def _english(roll: random.Random) -> str:
    def group() -> str:
        first = roll.choice(("the", "a", "every", "that", "her", "their"))
        return f"{first} {roll.choice(ADJECTIVES)} {roll.choice(NOUNS)}"

    first = f"{group()} {roll.choice(VERBS)} {group()}"
    if roll.random() < 0.6:
        first += f" {roll.choice(LINKS)} {group()} {roll.choice(VERBS)} {group()}"
    if roll.random() < 0.15:
        first += f", and {roll.randint(2, 4000):,} {roll.choice(NOUNS)}s were left"
    if roll.random() < 0.1:
        first = f'"{first[0].upper()}{first[1:]}," said the {roll.choice(NOUNS)}'
    return first[0].upper() + first[1:] + roll.choice(".....?!")


def english(roll: random.Random) -> str:
    paragraphs = [" ".join(_english(roll) for _ in range(roll.randint(3, 6))) for _ in range(roll.randint(3, 5))]
    return "\n\n".join(paragraphs)


def _from_words(groups: tuple[tuple[str, ...], ...], space: str, ends: str) -> Callable[[random.Random], str]:
    def make(roll: random.Random) -> str:
        paragraphs: list[str] = []
        for _ in range(3):
            said: list[str] = []
            for _ in range(roll.randint(4, 7)):
                words = [roll.choice(group) for group in groups]
                if roll.random() < 0.5:
                    words += [roll.choice(group) for group in groups[1:]]
                sentence = space.join(words)
                said.append(sentence[0].upper() + sentence[1:] + roll.choice(ends))
            paragraphs.append((" " if space else "").join(said))
        return "\n\n".join(paragraphs)

    return make


german = _from_words(
    (
        (
            "der alte Müller",
            "die Nachbarin",
            "das Mädchen",
            "ein fremder Händler",
            "die Bäckerin",
            "mein Großvater",
            "der Postbote",
            "eine Reisende",
            "das ganze Dorf",
            "unser Lehrer",
            "jeder Fährmann",
        ),
        ("öffnete", "vergaß", "überquerte", "beschrieb", "prüfte", "verkaufte", "trug"),
        (
            "langsam",
            "gestern",
            "ohne Zögern",
            "nach dem Regen",
            "für alle Fälle",
            "zum dritten Mal",
            "vor dem Fest",
            "aus Versehen",
            "mit großer Sorgfalt",
            "im Herbst",
            "trotz allem",
            "am frühen Morgen",
        ),
        (
            "die große Brücke",
            "den Schlüssel",
            "das Getreide",
            "die alten Bücher",
            "das Boot",
            "eine Laterne",
            "den Käse",
            "die Rechnung",
            "das Fenster",
            "einen langen Brief",
            "die Werkstatt",
            "den Fluss",
        ),
        (
            "und schwieg",
            "weil es kälter wurde",
            "denn der Winter nahte",
            "ohne Lohn",
            "damit alle schliefen",
            "während es schneite",
            "als gäbe es Streit",
            "obwohl niemand fragte",
            "bis zur Dämmerung",
            "mit Geduld",
        ),
    ),
    " ",
    "...!",
)
french = _from_words(
    (
        (
            "le vieux pêcheur",
            "la boulangère",
            "le facteur",
            "une voyageuse",
            "mon grand-père",
            "le village entier",
            "la maîtresse",
            "un élève",
            "notre voisin",
            "cette forêt",
            "l'horloger",
        ),
        ("regardait", "n'oubliait pas", "cherchait", "préférait", "gardait", "traversait"),
        (
            "chaque été",
            "à l'aube",
            "pour la troisième fois",
            "avant la fête",
            "par erreur",
            "en automne",
            "avec grand soin",
            "malgré tout",
            "sans un mot",
            "depuis longtemps",
            "près du château",
            "avec méfiance",
        ),
        (
            "la clé rouillée",
            "le pain chaud",
            "les vieux livres",
            "la barque",
            "une lanterne",
            "le fromage",
            "la facture",
            "cette fenêtre",
            "les étoiles",
            "une lettre « perdue »",
            "le pont",
            "son écharpe",
        ),
        (
            "car il faisait froid",
            "jusqu'au soir",
            "malgré la fête",
            "pendant qu'il neigeait",
            "sans salaire",
            "comme en rêve",
            "pour que tous dorment",
            "car l'hiver venait",
            "comme d'habitude",
            "et souriait",
        ),
    ),
    " ",
    "...!",
)
russian = _from_words(
    (
        (
            "старый мельник",
            "соседка",
            "каждый учитель",
            "пекарь",
            "мой дед",
            "почтальон",
            "одна странница",
            "вся деревня",
            "рыбак",
            "чужой торговец",
            "маленькая девочка",
            "сторож",
        ),
        ("открыл", "забыла", "описывал", "искала", "проверил", "услышал"),
        (
            "вчера",
            "без слов",
            "после дождя",
            "в третий раз",
            "перед праздником",
            "по ошибке",
            "с большой заботой",
            "осенью",
            "несмотря ни на что",
            "рано утром",
            "на всякий случай",
        ),
        (
            "большой мост",
            "ключ от амбара",
            "старые книги",
            "лодку",
            "фонарь у ворот",
            "круглый сыр",
            "счёт за дрова",
            "окно на север",
            "длинное письмо",
            "тихую реку",
            "мастерскую",
        ),
        (
            "потому что темнело",
            "и промолчал",
            "пока шёл снег",
            "словно во сне",
            "чтобы все уснули",
            "ведь зима близко",
            "без всякой платы",
            "хотя никто не спрашивал",
            "до самой зари",
        ),
    ),
    " ",
    "...!",
)
arabic = _from_words(
    (
        (
            "المعلم القديم",
            "الجارة",
            "كل بحّار",
            "الخبّاز",
            "جدّي",
            "ساعي البريد",
            "مسافرة وحيدة",
            "أهل القرية",
            "صيّاد السمك",
            "تاجر غريب",
            "الفتاة الصغيرة",
            "حارس البستان",
        ),
        ("فتح", "نسيت", "وصف", "قاس", "حمل", "سمع"),
        (
            "أمس",
            "بعد المطر",
            "للمرة الثالثة",
            "قبل العيد",
            "عن طريق الخطأ",
            "بعناية كبيرة",
            "في الخريف",
            "رغم كل شيء",
            "دون كلام",
            "في الصباح الباكر",
            "على مهل",
        ),
        (
            "الجسر الكبير",
            "مفتاحَ المخزن",
            "الكتبَ القديمة",
            "القاربَ",
            "فانوساً صغيراً",
            "قرصَ الجبن",
            "فاتورةَ الحطب",
            "النافذةَ الشمالية",
            "رسالةً طويلة",
            "النهر الهادئ",
            "ورشةَ النجّار",
        ),
        (
            "لأن الليل قريب",
            "ثم سكت",
            "بينما ينزل الثلج",
            "كأنه في حلم",
            "لكي ينام الجميع",
            "فالشتاء قادم",
            "بلا أجر",
            "رغم أن أحداً لم يسأل",
            "حتى الفجر",
        ),
    ),
    " ",
    "..؟",
)
hindi = _from_words(
    (
        (
            "पुराना माली",
            "पड़ोसिन",
            "डाकिया",
            "मेरे दादा",
            "एक यात्री",
            "सारा गाँव",
            "मछुआरा",
            "बूढ़ी दर्ज़िन",
            "हर शिक्षक",
            "छोटी लड़की",
            "अनजान व्यापारी",
        ),
        (
            "धीरे से",
            "कल",
            "बारिश के बाद",
            "तीसरी बार",
            "त्योहार से पहले",
            "ग़लती से",
            "बड़े ध्यान से",
            "पतझड़ में",
            "सब कुछ के बावजूद",
            "चुपचाप",
            "बिना बोले",
            "सुबह-सुबह",
        ),
        (
            "बड़ा पुल",
            "लंबी चिट्ठी",
            "पुरानी किताबें",
            "छोटी नाव",
            "लालटेन",
            "पनीर का टुकड़ा",
            "लकड़ी का हिसाब",
            "उत्तर की खिड़की",
            "शांत नदी",
            "गोदाम की चाबी",
            "कार्यशाला",
        ),
        (
            "देखता रहा",
            "भूल गई",
            "सुनता रहा",
            "बेच आया",
            "ठीक करने लगी",
            "माँगता रहा",
            "छिपा आई",
            "गिनता रहा",
            "खोलने लगा",
            "ढूँढती रही",
            "समझ गया",
        ),
    ),
    " ",
    "।।।",
)
chinese = _from_words(
    (
        (
            "老船长",
            "隔壁的木匠",
            "面包师傅",
            "我的祖父",
            "送信的人",
            "一位旅客",
            "全村的人",
            "年轻的渔夫",
            "缝衣服的老妇",
            "每一位老师",
            "陌生的商人",
            "那个小女孩",
            "守夜人",
        ),
        (
            "慢慢地",
            "昨天",
            "雨停之后",
            "第三次",
            "节日之前",
            "不小心",
            "十分仔细地",
            "在秋天里",
            "不顾一切地",
            "当着众人的面",
            "一声不响地",
            "天亮以前",
            "毫不犹豫地",
        ),
        ("打开了", "忘记了", "描述着", "寻找着", "修好了", "听见了"),
        (
            "那座大桥",
            "仓库的钥匙",
            "旧书架",
            "小木船",
            "门前的灯笼",
            "一块干酪",
            "柴火的账单",
            "朝北的窗户",
            "冬天的棉衣",
            "一封很长的信",
            "安静的河流",
            "自己的作坊",
            "远处的灯塔",
        ),
        (
            "因为天色已晚",
            "然后沉默不语",
            "正当大雪纷飞",
            "好像在梦里",
            "好让大家入睡",
            "毕竟冬天快到了",
            "分文不取",
            "从此再没回来",
            "虽然没有人询问",
            "直到黎明",
            "仿佛什么都没有发生",
        ),
    ),
    "",
    "。。。！",
)
japanese = _from_words(
    (
        (
            "古い灯台の番人は",
            "隣の大工は",
            "パン屋の主人は",
            "私の祖父は",
            "郵便配達人が",
            "一人の旅人は",
            "村じゅうの人が",
            "若い漁師は",
            "小さな女の子が",
            "見知らぬ商人は",
            "すべての先生が",
        ),
        (
            "ゆっくりと",
            "昨日",
            "雨が止んだあと",
            "三度目に",
            "祭りの前に",
            "うっかり",
            "とても丁寧に",
            "秋のあいだ",
            "何があっても",
            "黙ったまま",
            "夜明け前に",
        ),
        (
            "大きな橋を",
            "倉庫の鍵を",
            "古い本を",
            "小さな舟を",
            "門の提灯を",
            "丸いチーズを",
            "薪の代金を",
            "北向きの窓を",
            "長い手紙を",
            "静かな川を",
            "自分の工房を",
        ),
        (
            "開けました",
            "忘れました",
            "数えました",
            "売りに出しました",
            "隠していました",
            "頼んでいました",
            "片付けました",
            "描きました",
            "探していました",
            "直しました",
            "眺めていました",
        ),
    ),
    "",
    "。。。",
)


def emoji(roll: random.Random) -> str:
    faces = [
        "👩\u200d🚀",
        "👨\u200d👩\u200d👧\u200d👦",
        "🏳️\u200d🌈",
        "👍🏽",
        "🇯🇵",
        "❤️",
        "🧑🏿\u200d🔧",
        "🐈\u200d⬛",
        "🌊",
        "🎉",
    ]
    lines = [f"{_english(roll)} {roll.choice(faces)}{roll.choice(faces)}" for _ in range(12)]
    return "\n".join(lines)


def combining(roll: random.Random) -> str:
    marks = "\u0301\u0300\u0308\u0303\u0327"
    words: list[str] = []
    for place in range(140):
        word = roll.choice(NOUNS)
        at = roll.randint(1, len(word))
        words.append(word[:at] + roll.choice(marks) + word[at:] + ("." if place % 9 == 8 else ""))
    return " ".join(words)


def _function(roll: random.Random) -> str:
    name, thing, other = roll.choice(VERBS), roll.choice(NOUNS), roll.choice(NOUNS)
    size = roll.randint(2, 90)
    return (
        f"def {name}_{thing}({other}s: list[int], *, limit: int = {size}) -> int:\n"
        f'    """{_english(roll)}"""\n'
        f"    {thing} = 0\n"
        f"    for place, {other} in enumerate({other}s):\n"
        f"        if {other} % {roll.randint(2, 9)} == 0 and place < limit:\n"
        f"            {thing} += {other} * {roll.randint(2, 30)}\n"
        f'            print(f"{{place}}: {{{thing}}}")\n'
        f"    return {thing}\n"
    )


def code(roll: random.Random) -> str:
    blocks = "\n\n".join(_function(roll) for _ in range(5))
    return f"{_english(roll)} Here is the module:\n\n```python\n{blocks}```\n\n{_english(roll)} {_english(roll)}"


def bare_code(roll: random.Random) -> str:
    return "import math\n\n\n" + "\n\n".join(_function(roll) for _ in range(5))


def script(roll: random.Random) -> str:
    lines = [
        f'const {roll.choice(NOUNS)}{number} = await fetch("/api/{roll.choice(NOUNS)}/{roll.randint(1, 99)}");'
        for number in range(14)
    ]
    return "\n".join(("# Setup", "", _english(roll), "", "```js", *lines, "```", "", _english(roll)))


def equal_code(roll: random.Random) -> str:
    name = roll.choice(NOUNS)
    block = ["    pin.high()", "    wait(10)", "    pin.low()", "    wait(10)"]
    return "\n".join(
        (f"def {name}():", *(block * 6), "    wait(10)", "    wait(10)", "    wait(10)", "    return None\n")
    )


def table(roll: random.Random) -> str:
    rows = [
        f"| {place} | {roll.choice(NOUNS)} | {roll.choice(ADJECTIVES)} {roll.choice(NOUNS)} | {roll.randint(1, 999)} |"
        for place in range(1, 22)
    ]
    head = ["| No | Item | Description | Price |", "|----|------|-------------|-------|"]
    return "\n".join((_english(roll), "", *head, *rows, "", _english(roll)))


def equal_table(roll: random.Random) -> str:
    rows: list[str] = []
    for day in ("Mon", "Tue", "Wed"):
        rows += [f"| {day} | 0 | 0 | 0 |"] * 3 + ["| - | 0 | 0 | 0 |"] * 2 + ["| 0 | 0 | 0 | 0 |"] * roll.randint(2, 5)
    return "\n".join((_english(roll), "", "| Day | A | B | C |", "|---|---|---|---|", *rows, "", "That is all."))


def bullets(roll: random.Random) -> str:
    lines = [f"- **{roll.choice(NOUNS).title()}**: {_english(roll)}" for _ in range(12)]
    return "\n".join((_english(roll), "", *lines))


def numbered(roll: random.Random) -> str:
    lines = [f"{place}. {_english(roll)}" for place in range(1, 16)]
    return "\n".join((_english(roll), "", *lines, "", _english(roll)))


def records(roll: random.Random) -> str:
    made = [
        {"id": place, "name": roll.choice(NOUNS), "tags": [roll.choice(ADJECTIVES)], "price": roll.randint(1, 500)}
        for place in range(18)
    ]
    return json.dumps(made)


def pretty(roll: random.Random) -> str:
    made = {
        roll.choice(NOUNS) + str(place): {
            "text": _english(roll),
            "ok": roll.random() < 0.5,
            "n": [1, 2, place],
            "x": None,
        }
        for place in range(7)
    }
    return json.dumps({"title": _english(roll), "parts": made}, indent=2)


def fenced_json(roll: random.Random) -> str:
    return f"{_english(roll)}\n\n```json\n{pretty(roll)}\n```\n"


def equal_records(roll: random.Random) -> str:
    made = [{"id": 0, "value": 0}] * 12 + [{"id": 1, "value": roll.randint(2, 9)}] + [{"id": 0, "value": 0}] * 9
    return json.dumps(made)


def verse(roll: random.Random) -> str:
    refrain = f"Oh, the {roll.choice(NOUNS)} and the {roll.choice(NOUNS)},\nand the wind that never ends.\n"
    stanzas = []
    for _ in range(5):
        lines = [f"The {roll.choice(ADJECTIVES)} {roll.choice(NOUNS)} {roll.choice(VERBS)} the sea," for _ in range(3)]
        stanzas.append("\n".join(lines) + "\n" + refrain)
    return "\n".join(stanzas)


def response(roll: random.Random) -> str:
    refrain = f"And the {roll.choice(NOUNS)} goes on and on."
    return "\n".join(f"{_english(roll)}\n{refrain}" for _ in range(14))


def log(roll: random.Random) -> str:
    lines: list[str] = []
    for _ in range(9):
        line = f"INFO {roll.choice(NOUNS)}: {roll.choice(VERBS)} the {roll.choice(NOUNS)} in {roll.randint(1, 99)} ms"
        lines += [line] * roll.choice((1, 1, 2, 3, 6))
        lines += ["WARN retry"] * roll.choice((1, 2, 3))
    return "\n".join(lines) + "\n"


def zeros(roll: random.Random) -> str:
    return "[" + ", ".join(["0"] * roll.randint(150, 900)) + "]"


def words_again(roll: random.Random) -> str:
    parts = [
        "no no no",
        "very, very, very",
        "ha ha ha ha",
        "bye-bye",
        "knock, knock",
        "row, row, row your boat",
        "哈哈哈哈",
    ]
    said = [f"{_english(roll)[:-1]}, {roll.choice(parts)}, {roll.choice(parts)}." for _ in range(12)]
    return " ".join(said)


def document(roll: random.Random) -> str:
    parts = []
    for place in range(1, 5):
        parts.append(
            f"## {place}. {roll.choice(ADJECTIVES).title()} {roll.choice(NOUNS)}\n\n{_english(roll)} {_english(roll)}"
        )
        parts.append("\n".join(f"{n}. {_english(roll)}" for n in range(1, 4)))
        parts.append(f"```sh\nagent {roll.choice(NOUNS)} --{roll.choice(ADJECTIVES)} {roll.randint(1, 9)}\n```")
        parts.append(f"> {_english(roll)}")
    return f"# The {roll.choice(NOUNS)}\n\n" + "\n\n".join(parts) + "\n"


KINDS: tuple[tuple[Callable[[random.Random], str], bool], ...] = (
    (english, False), (german, False), (french, False), (russian, False), (arabic, False), (hindi, False),
    (chinese, False), (japanese, False), (emoji, False), (combining, False), (code, False), (bare_code, False),
    (script, False), (equal_code, True), (table, False), (equal_table, True), (bullets, False), (numbered, False),
    (records, False), (pretty, False), (fenced_json, False), (equal_records, True), (verse, True), (response, True),
    (log, True), (zeros, True), (words_again, True), (document, False),
)  # fmt: skip
NAMES = {kind: name for name, kind in list(globals().items()) if callable(kind)}


def samples(each: int = 3) -> list[Sample]:
    """So many texts of each kind; always the same."""
    made: list[Sample] = []
    for kind, repeats in KINDS:
        name = NAMES[kind]
        made += [Sample(name, kind(random.Random(f"{name} {number}")), repeats) for number in range(each)]
    return made
